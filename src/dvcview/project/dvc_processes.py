"""The DVC processes of a project, and the paths that they have locked."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import psutil

from dvcview.project.root import root_of

RWLOCK = Path(".dvc/tmp/rwlock")
WAIT_FOR_LOCK = "--wait-for-lock"  # without it, DVC gives up after three seconds
DVC_WITH_PROGRESS = "dvcview.run.progress"  # the module with which `dvcview run` runs DVC
PROGRAM = re.compile(r"^\S*/(dvc|__main__\.py) ")  # the beginning of a command line in the rwlock
CHANGES_LOCKFILE = {"repro", "run", "apply", "commit"}  # commands of DVC


@dataclass(frozen=True)
class PathInUse:
    """A process, and a path that it reads or writes, relative to the project's folder."""

    who: str
    path: str

    def touches(self, out: str) -> bool:
        """Whether an out is this path, lies in it, or contains it.

        >>> PathInUse("dvc repro", "data/digits").touches("data/digits")
        True
        >>> PathInUse("dvc checkout", "data/digits/x.npy").touches("data/digits")
        True
        >>> PathInUse("dvc repro", "data/digits").touches("data/digits2")
        False
        """
        here, there = Path(self.path), Path(out)
        return here.is_relative_to(there) or there.is_relative_to(here)


def parent_dvc_process() -> tuple[psutil.Process, str] | None:
    """The nearest ancestor of this process that is DVC, and its command."""
    for process in psutil.Process().parents():
        command = _dvc_command(process)
        if command:
            return process, command
    return None


def dvc_processes(folder: Path) -> dict[psutil.Process, str]:
    """The DVC processes that run the pipeline of a folder, and their commands."""
    found = {}
    for process in psutil.process_iter():
        command = _dvc_command(process) or ""
        try:
            if CHANGES_LOCKFILE.isdisjoint(command.split()):
                continue
            if root_of(Path(process.cwd())) == folder:
                found[process] = command
        except psutil.Error:
            continue
    return found


def _dvc_command(process: psutil.Process) -> str | None:
    """`dvc repro` for `dvc repro`, `python .../bin/dvc repro` and `python -m dvc repro`.

    `--wait-for-lock` is left out, because it says nothing about what DVC does.
    """
    try:
        words = process.cmdline()
    except psutil.Error:  # it belongs to another user, or has ended
        return None
    for position, word in enumerate(words[:4]):
        if Path(word).name in ("dvc", DVC_WITH_PROGRESS):
            arguments = [word for word in words[position + 1 :] if word != WAIT_FOR_LOCK]
            return " ".join(["dvc", *arguments])
    return None


def paths_locked_by_dvc(root: Path) -> set[PathInUse] | None:
    """The paths that DVC locks while it runs a stage, reads its deps, or checks out.

    None if the rwlock file is not readable: DVC is writing it, or was killed while it wrote it.

    Source: `dvc.rwlock`, DVC 3.67.
    """
    file = root / RWLOCK
    try:
        locked, written = json.loads(file.read_bytes()), file.stat().st_mtime
    except FileNotFoundError:
        return set()
    except ValueError:
        return None
    return {
        PathInUse(
            f"`dvc {PROGRAM.sub('', holder['cmd'])}` (process {holder['pid']})",
            Path(path).relative_to(root).as_posix(),
        )
        for mode in ("read", "write")
        for path, holders in locked.get(mode, {}).items()
        for holder in (holders if isinstance(holders, list) else [holders])
        if Path(path).is_relative_to(root) and _has_run_since(holder["pid"], written)
    }


def _has_run_since(pid: int, time: float) -> bool:
    """Whether the process is older than `time`; a later process can have the same number."""
    try:
        return bool(psutil.Process(pid).create_time() <= time)
    except psutil.Error:
        return False
