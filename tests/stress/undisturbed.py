"""What an undisturbed run leaves, to which every disturbed one is held."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import psutil
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from dvcview.verify.check import check_bytes
from tests.pipeline.project import SMALL, Project

ALL = "all stages"
TO_END = 10  # seconds after a run until which no process of it may be left


def run_undisturbed(root: Path) -> Project:
    """A small course in a folder of its own, run once."""
    project = Project.copy(root, SMALL)
    project.call("dlvc", "run")
    return project


def lock_of(project: Project) -> CommentedMap:
    """The content of dvc.lock, in its order."""
    content: CommentedMap = YAML().load(project.root / "dvc.lock")
    return content


def with_new(reference: Project, stage: str, root: Path) -> Project:
    """A copy of a project in which a stage has still to run, and DVC cannot restore it."""
    project = reference.duplicate(root)
    shutil.rmtree(root / ".dvc/cache/runs")
    if stage == ALL:
        (root / "dvc.lock").unlink()
        return project
    lock = lock_of(project)
    lock["stages"][stage]["deps"][0]["md5"] = "0" * 32
    with (root / "dvc.lock").open("w", encoding="utf-8") as file:
        YAML().dump(lock, file)
    return project


def differences(reference: Project, project: Project) -> list[str]:
    """What is not as the undisturbed run left it, to the byte; nothing if all is well."""
    wrong = []
    if project.read("dvc.lock") != reference.read("dvc.lock"):
        wrong.append("another dvc.lock")
    wrong += [f"damaged: {problem}" for problem in check_bytes(project.root).problems[:3]]
    status = project.call("git", "status", "--porcelain").stdout
    if status != reference.call("git", "status", "--porcelain").stdout:
        wrong.append(f"another git status: {status[:200]!r}")
    until = time.monotonic() + TO_END
    while left := [
        p for p in project.processes() if "dvcview.tracking.recorder" not in words_of(p)
    ]:
        if time.monotonic() > until:
            wrong.append(f"left over: {left}")
            break
        time.sleep(0.2)
    return wrong


def words_of(process: psutil.Process) -> list[str]:
    """The command of a process; nothing if it has just ended."""
    try:
        words: list[str] = process.cmdline()
    except psutil.Error:
        return []
    return words
