"""What has to be there: each file of each out of dvc.lock, with its md5."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dvcview.errors import UserError, first_line
from dvcview.project.git import git
from dvcview.project.lockfile import StageState, read_when_written, states_of
from dvcview.verify.manifest import Inventory

LOCK = "dvc.lock"
BRING_BACK = f"`git checkout HEAD -- {LOCK}` brings the committed one back"


@dataclass(frozen=True)
class Out:
    """An out of dvc.lock."""

    stage: str
    path: str
    md5: str  # with .dir for a folder
    in_git: bool  # git keeps it, and `dvc checkout` leaves it alone


@dataclass(frozen=True)
class OutFile:
    """One file of an out: the out itself, or a file in a folder."""

    out: Out
    path: str
    md5: str


@dataclass(frozen=True)
class Expected:
    """The outs, their files, and the folders of which nothing says what files they had."""

    outs: tuple[Out, ...]
    files: tuple[OutFile, ...]
    unlisted: tuple[Out, ...]


def read_lock(root: Path) -> tuple[dict[str, Any], dict[str, StageState]]:
    """The entries of dvc.lock as they stand there, and as states; by stage.

    Raises:
        UserError: there is none, or it is not readable as one.
    """
    try:
        text = read_when_written(root / LOCK)
    except UnicodeDecodeError as error:
        raise UserError(f"{LOCK}: not UTF-8 text (byte {error.start}); {BRING_BACK}") from None
    if not text:
        raise UserError(f"no {LOCK} in {root}; `make run` makes it, or {BRING_BACK}")
    content = _parse(text)
    try:
        return content["stages"], states_of(content)
    except (AttributeError, KeyError, TypeError) as error:
        found = f"{type(error).__name__}: {first_line(error)}"
        raise UserError(f"{LOCK}: not as DVC writes it ({found}); {BRING_BACK}") from None


def _parse(text: str) -> Any:
    try:
        return YAML(typ="safe").load(text)
    except Exception as error:  # a character that YAML does not allow is no error of the parser's
        where = f", line {_line(text)}"
        raise UserError(
            f"{LOCK}{where}: not valid YAML ({first_line(error)}); {BRING_BACK}"
        ) from None


def _line(text: str) -> int:
    """Where text stops to be YAML. libyaml, which is faster by far, names the wrong line."""
    try:
        YAML(typ="safe", pure=True).load(text)
    except Exception as error:
        mark = getattr(error, "problem_mark", None)
        return text.count("\n", 0, mark.index if mark else getattr(error, "position", 0)) + 1
    return 1


def outs_of(root: Path, states: Mapping[str, StageState]) -> tuple[Out, ...]:
    """The outs of all stages, in their order."""
    paths = [path for state in states.values() for path in state.outs]
    # Those of git's, be it that they are not committed yet. What DVC keeps is in .gitignore.
    listed = git(
        root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths
    ).split("\0")
    return tuple(
        Out(stage, path, md5, path in listed)
        for stage, state in states.items()
        for path, md5 in state.outs.items()
    )


def expect(outs: tuple[Out, ...], inventory: Inventory) -> Expected:
    """The files of outs, by the listings of folders that are to be had."""
    files: list[OutFile] = []
    unlisted: list[Out] = []
    for out in outs:
        if not out.md5.endswith(".dir"):
            files.append(OutFile(out, out.path, out.md5))
        elif (listing := _listing(out, inventory)) is not None:
            files.extend(OutFile(out, f"{out.path}/{name}", md5) for name, md5 in listing)
        else:
            unlisted.append(out)
    return Expected(outs, tuple(files), tuple(unlisted))


def _listing(out: Out, inventory: Inventory) -> Iterator[tuple[str, str]] | None:
    """Name and md5 of each file of a folder; None where neither cache nor workspace can tell."""
    if inventory.has_object(out.md5):
        entries = json.loads((inventory.root / inventory.object_path(out.md5)).read_bytes())
    elif inventory.has_out(out.path, out.md5):
        entries = inventory.listing(out.path)
    else:
        return None
    return ((entry["relpath"], entry["md5"]) for entry in entries)
