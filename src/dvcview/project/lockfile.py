"""The states of stages in dvc.lock, and the files of a state.

A project can have several dvc.yaml files, each with a dvc.lock beside it. A stage of the one in the
project's folder has the stage's name; a stage of another one has DVC's address of it, such as
`fit/dvc.yaml:train`. All paths of a state are relative to the project's folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from ruamel.yaml import YAML

from dvcview.files.checksum import list_folder, md5_of, md5_of_bytes
from dvcview.project.definitions import PIPELINE, Definitions, read_definitions
from dvcview.project.git import git, git_bytes, head_commit
from dvcview.project.params import PARAMS_FILE, flatten

LOCKFILE = Path("dvc.lock")
EXPERIMENT_REF = re.compile(r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38}/(?P<name>.+)")


class MissingFileError(Exception):
    """A file of a state is not on this machine."""


@dataclass(frozen=True)
class StageState:
    """The state of one stage in dvc.lock: the MD5 of each dep and out, and the parameters."""

    stage: str
    cmd: str
    deps: Mapping[str, str]
    sections: Mapping[str, Any]
    outs: Mapping[str, str]

    @cached_property
    def digest(self) -> str:
        """Identifies the state: equal for equal command, deps, parameters and outs."""
        content = [self.stage, self.cmd, dict(self.deps), dict(self.sections), dict(self.outs)]
        text = json.dumps(content, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def folder(self) -> Path:
        """The folder of all outs within the project; the out itself if there is only one."""
        inside = [out for out in self.outs if not out.startswith(("/", "../"))]
        return Path(os.path.commonpath(inside)) if inside else Path()

    @property
    def params(self) -> dict[str, Any]:
        """The stage's parameters with flat names as in params.yaml."""
        return flatten(self.sections)

    def is_of(self, stage: str, params: Mapping[str, Any]) -> bool:
        """Whether this is a state of a stage with these parameters, which have flat names.

        DVC tells a stage its name without the path of its dvc.yaml.
        """
        return stage in (self.stage, self.stage.rpartition(":")[2]) and all(
            params.get(key, value) == value for key, value in self.params.items()
        )


def read_states(
    text: str, file: str = PIPELINE, folders: Mapping[str, str] | None = None
) -> dict[str, StageState]:
    """The states in the text of a dvc.lock, by stage, in the file's order.

    Args:
        text: the text of the dvc.lock.
        file: the dvc.yaml beside it, relative to the project's folder.
        folders: the working folders of stages; all others run in the folder of `file`.
    """
    content = YAML(typ="safe").load(text) or {}
    return states_of(content.get("stages") or {}, file, folders or {})


def states_of(
    entries: Mapping[str, Any], file: str = PIPELINE, folders: Mapping[str, str] | None = None
) -> dict[str, StageState]:
    """The states of the entries in a dvc.lock; see `read_states`."""
    states = {}
    for name, entry in entries.items():
        address = name if file == PIPELINE else f"{file}:{name}"
        here = PurePosixPath((folders or {}).get(name, str(PurePosixPath(file).parent)))
        states[address] = StageState(
            stage=address,
            cmd=str(entry["cmd"]),
            deps=_md5s(entry.get("deps", ()), here),
            sections=_sections(entry.get("params", {})),
            outs=_md5s(entry.get("outs", ()), here),
        )
    return states


def _md5s(files: Iterable[Mapping[str, Any]], folder: PurePosixPath) -> dict[str, str]:
    """The MD5 by path; files outside of the machine have other hashes and are left out."""
    return {
        posixpath.normpath(folder / file["path"]): file["md5"] for file in files if "md5" in file
    }


def _sections(params: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The parameters of all files; a key that several files have is `file:key`, as DVC writes it.

    >>> _sections({"params.yaml": {"seed": 1}, "opt.json": {"seed": 2, "rate": 0.1}})
    {'seed': 1, 'opt.json:seed': 2, 'rate': 0.1}
    """
    keys = Counter(key for values in params.values() for key in values or {})
    return {
        f"{file}:{key}" if keys[key] > 1 and file != PARAMS_FILE.name else key: value
        for file, values in params.items()
        for key, value in (values or {}).items()
    }


def lockfile_of(file: str) -> str:
    """The path of the dvc.lock beside a dvc.yaml."""
    return str(PurePosixPath(file).with_name(LOCKFILE.name))


@dataclass
class Pipeline:
    """A dvc.lock, and the places that may have its files: a folder, a commit, and DVC's cache."""

    root: Path  # the project, whose cache is used
    workspace: Path | None  # the folder with dvc.lock; None for a commit
    revision: str | None  # the commit with dvc.lock; None for a folder
    name: str | None = None  # the name of the DVC experiment

    @cached_property
    def definitions(self) -> Definitions:
        """What dvc.yaml says about the stages and outs."""
        return read_definitions(self.workspace or self.root, self.revision)

    def states(self) -> dict[str, StageState]:
        """The state of each stage that dvc.lock has, for stages of dvc.yaml and former ones."""
        states: dict[str, StageState] = {}
        for file, folders in self.definitions.stages.items():
            lock = lockfile_of(file)
            if self.workspace is not None:
                text = read_when_written(self.workspace / lock)
            else:
                text = git(self.root, "show", f"{self.revision}:./{lock}")
            states |= read_states(text, file, folders)
        return states

    def commit_of(self, state: StageState) -> str | None:
        """The commit whose dvc.lock has the state: this one, or HEAD if its state is the same."""
        if self.revision is not None:
            return self.revision
        head, states = self._at_head
        same = state.stage in states and states[state.stage].digest == state.digest
        return head if same else None

    @cached_property
    def _at_head(self) -> tuple[str | None, dict[str, StageState]]:
        """HEAD and the states in its dvc.lock, read once for all stages."""
        head = head_commit(self.root)
        if head is None:
            return None, {}
        committed = Pipeline(self.root, None, head)
        committed.definitions = self.definitions  # reading those of a commit takes longer
        return head, committed.states()

    def find(self, path: str, md5: str) -> Path | None:
        """A file with the content that `path` has in this state; None if there is none."""
        if self.workspace is not None and md5_of(self.workspace / path) == md5:
            return self.workspace / path
        cached = self._cached(md5)
        if cached.exists():
            return cached
        if self.revision is None:
            return None
        content = git_bytes(self.root, "show", f"{self.revision}:./{path}")
        if content is None or md5_of_bytes(content) != md5:
            return None
        copy = self._scratch / md5
        copy.write_bytes(content)
        return copy

    def find_within(self, folder: str, md5: str, name: str) -> Path | None:
        """Like `find`, for the file `name` in a folder; `md5` is the MD5 of the folder."""
        listed = dict(self._listing(folder, md5)) if md5.endswith(".dir") else {}
        return self.find(f"{folder}/{name}", listed[name]) if name in listed else None

    def files(self, state: StageState) -> dict[str, str]:
        """The MD5 of each file of a state's outs, including files in folders, by path.

        Raises:
            MissingFileError: the listing of a folder is not on this machine.
        """
        files: dict[str, str] = {}
        for path, md5 in state.outs.items():
            files |= self.files_of(path, md5)
        return files

    def files_of(self, out: str, md5: str) -> dict[str, str]:
        """The MD5 of each file of one out; see `files`."""
        if not md5.endswith(".dir"):
            return {out: md5}
        return {f"{out}/{name}": one for name, one in self._listing(out, md5)}

    def _listing(self, folder: str, md5: str) -> Iterator[tuple[str, str]]:
        """The name and MD5 of each file of a folder."""
        cached = self._cached(md5)
        if cached.exists():
            entries = json.loads(cached.read_bytes())
        elif self.workspace is not None and md5_of(self.workspace / folder) == md5:
            entries = list_folder(self.workspace / folder)
        else:
            raise MissingFileError(folder)
        for entry in entries:
            yield entry["relpath"], entry["md5"]

    def _cached(self, md5: str) -> Path:
        return self.cache / md5[:2] / md5[2:]

    @cached_property
    def _scratch(self) -> Path:
        self._temporary = tempfile.TemporaryDirectory()  # deleted with this object
        return Path(self._temporary.name)

    @cached_property
    def cache(self) -> Path:
        """The folder of DVC's cached files: the default or the configured one."""
        configured = self._config["cache"].get("dir")
        return (self.root / ".dvc" / (configured or "cache")) / "files" / "md5"

    @property
    def has_remote(self) -> bool:
        """Whether a default remote is configured for `dvc pull`."""
        return bool(self._config["core"].get("remote"))

    @cached_property
    def _config(self) -> Mapping[str, Any]:
        from dvc.config import Config

        config: Mapping[str, Any] = Config(str(self.root / ".dvc"), validate=False)
        return config


def read_when_written(file: Path) -> str:
    """The text of a file that another process may be writing; empty if there is no file.

    The file is read until two readings agree.
    """
    text = None
    while file.exists():
        again = file.read_text(encoding="utf-8")
        if again == text:
            return again
        text = again
        time.sleep(0.1)
    return ""


def experiments(root: Path) -> list[Pipeline]:
    """The experiments of `dvc exp run`, each in a commit of its own."""
    listed = git(root, "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps")
    found = []
    for line in listed.splitlines():
        commit, ref = line.split(" ", 1)
        match = EXPERIMENT_REF.fullmatch(ref)
        if match:
            found.append(Pipeline(root, None, commit, match["name"]))
    return found
