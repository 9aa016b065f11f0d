"""The files that a project should have: every file of every out in dvc.lock, with its MD5."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dvcview.errors import UserError, first_line
from dvcview.project.definitions import PIPELINE
from dvcview.project.lockfile import (
    LOCKFILE,
    Pipeline,
    StageState,
    lockfile_of,
    read_when_written,
    states_of,
)
from dvcview.verify.manifest import Manifest


@dataclass(frozen=True)
class Out:
    """An out in dvc.lock."""

    stage: str
    path: str
    md5: str  # ends in .dir for a folder
    in_git: bool  # it has `cache: false`, so git has it, and `dvc checkout` does not restore it


@dataclass(frozen=True)
class OutFile:
    """One file of an out: the out itself, or a file in a folder."""

    out: Out
    path: str
    md5: str


@dataclass(frozen=True)
class Expected:
    """The outs and their files.

    Attributes:
        outs: all outs, in the order of dvc.lock.
        files: the files of all outs except `unlisted`.
        unlisted: folders whose list of files is lost.
    """

    outs: tuple[Out, ...]
    files: tuple[OutFile, ...]
    unlisted: tuple[Out, ...]


def read_locks(pipeline: Pipeline) -> tuple[dict[str, Any], dict[str, StageState]]:
    """Read every dvc.lock and .dvc file of the workspace.

    Returns:
        The entries of stages as they are in dvc.lock; and the states of stages and of .dvc files.

    Raises:
        UserError: there is none, or one is not readable.
    """
    _read_lock(pipeline.root, PIPELINE, {})  # its errors say more than DVC's own
    entries: dict[str, Any] = {}
    states = {
        file: StageState(file, "", {}, {}, outs)
        for file, outs in pipeline.definitions.added.items()
    }
    for file, folders in pipeline.definitions.stages.items():
        found, its_states = _read_lock(pipeline.root, file, folders)
        entries |= found
        states |= its_states
    if not states:
        raise UserError(
            f"there is no {LOCKFILE} in {pipeline.root}; `dvc repro` creates it, or "
            f"{_restoring(str(LOCKFILE))}"
        )
    return entries, states


def _restoring(lock: str) -> str:
    return f"`git checkout HEAD -- {lock}` restores the committed version"


def _read_lock(
    root: Path, file: str, folders: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, StageState]]:
    """The entries and states of the dvc.lock beside one dvc.yaml."""
    lock = lockfile_of(file)
    try:
        text = read_when_written(root / lock)
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 text (byte {error.start})"
        raise UserError(f"{lock}: {reason}; {_restoring(lock)}") from None
    try:
        content = YAML(typ="safe").load(text) or {"stages": {}}
    except Exception as error:  # a forbidden character raises no ParserError
        where = f"{lock}, line {_error_line(text)}"
        raise UserError(
            f"{where}: not valid YAML ({first_line(error)}); {_restoring(lock)}"
        ) from None
    try:
        states = states_of(content["stages"], file, folders)
        return dict(zip(states, content["stages"].values(), strict=True)), states
    except (AttributeError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise UserError(f"{lock}: not in DVC's format ({reason}); {_restoring(lock)}") from None


def _error_line(text: str) -> int:
    """The line of the first YAML error, from the slow parser: libyaml reports a wrong line."""
    try:
        YAML(typ="safe", pure=True).load(text)
    except Exception as error:
        mark = getattr(error, "problem_mark", None)
        return text.count("\n", 0, mark.index if mark else getattr(error, "position", 0)) + 1
    return 1


def outs_of(states: Mapping[str, StageState], uncached: Set[str]) -> tuple[Out, ...]:
    """The outs of all stages, in the order of `states`."""
    return tuple(
        Out(stage, path, md5, path in uncached)
        for stage, state in states.items()
        for path, md5 in state.outs.items()
    )


def expect(outs: tuple[Out, ...], manifest: Manifest) -> Expected:
    """List the files of these outs; a folder's files come from the cache or the workspace."""
    files: list[OutFile] = []
    unlisted: list[Out] = []
    for out in outs:
        if not out.md5.endswith(".dir"):
            files.append(OutFile(out, out.path, out.md5))
        elif (listing := _listing(out, manifest)) is not None:
            files.extend(OutFile(out, f"{out.path}/{name}", md5) for name, md5 in listing)
        else:
            unlisted.append(out)
    return Expected(outs, tuple(files), tuple(unlisted))


def _listing(out: Out, manifest: Manifest) -> Iterator[tuple[str, str]] | None:
    """The name and MD5 of each file of a folder; None if its list of files is lost."""
    if manifest.has_object(out.md5):
        entries = json.loads((manifest.root / manifest.object_path(out.md5)).read_bytes())
    elif manifest.has_out(out.path, out.md5):
        entries = manifest.listing(out.path)
    else:
        return None
    return ((entry["relpath"], entry["md5"]) for entry in entries)
