"""The states of stages in dvc.lock, and the files of a state."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dvcview.files.checksum import list_folder, md5_of, md5_of_bytes
from dvcview.project.git import git, git_bytes, head_commit
from dvcview.project.params import flatten

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
        """The folder of all outs; the out itself if there is only one."""
        return Path(os.path.commonpath(self.outs))

    @property
    def params(self) -> dict[str, Any]:
        """The stage's parameters with flat names as in params.yaml."""
        return flatten(self.sections)

    def agrees_with(self, params: Mapping[str, Any]) -> bool:
        """Whether `params`, with flat names, has no other value for a parameter of the state."""
        return all(params.get(key, value) == value for key, value in self.params.items())


def read_states(text: str) -> dict[str, StageState]:
    """The states in the text of a dvc.lock, by stage, in the file's order."""
    return states_of(YAML(typ="safe").load(text) or {})


def states_of(content: Mapping[str, Any]) -> dict[str, StageState]:
    """The states in the content of a dvc.lock."""
    states = {}
    for name, entry in content.get("stages", {}).items():
        sections = {}
        for params in entry.get("params", {}).values():
            sections.update(params)
        states[name] = StageState(
            stage=name,
            cmd=str(entry["cmd"]),
            deps={dep["path"]: dep["md5"] for dep in entry.get("deps", []) if "md5" in dep},
            sections=sections,
            outs={out["path"]: out["md5"] for out in entry.get("outs", []) if "md5" in out},
        )
    return states


@dataclass
class Pipeline:
    """A dvc.lock, and the places that may have its files: a folder, a commit, and DVC's cache."""

    root: Path  # the project, whose cache is used
    workspace: Path | None  # the folder with dvc.lock; None for a commit
    revision: str | None  # the commit with dvc.lock; None for a folder
    name: str | None = None  # the name of the DVC experiment

    def states(self) -> dict[str, StageState]:
        """The state of each stage; empty if there is no readable dvc.lock."""
        if self.workspace is not None:
            text = read_when_written(self.workspace / "dvc.lock")
        else:
            text = git(self.root, "show", f"{self.revision}:dvc.lock")
        return read_states(text)

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
        return head, Pipeline(self.root, None, head).states() if head else {}

    def find(self, path: str, md5: str) -> Path | None:
        """A file with the content that `path` has in this state; None if there is none."""
        if self.workspace is not None and md5_of(self.workspace / path) == md5:
            return self.workspace / path
        cached = self._cached(md5)
        if cached.exists():
            return cached
        if self.revision is None:
            return None
        content = git_bytes(self.root, "show", f"{self.revision}:{path}")
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
        files = {}
        for path, md5 in state.outs.items():
            if md5.endswith(".dir"):
                files.update({f"{path}/{name}": one for name, one in self._listing(path, md5)})
            else:
                files[path] = md5
        return files

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
