"""Who is at work on the project at this moment: what they are writing is not damaged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from dvcview.project.lockfile import StageState
from dvcview.tracking.event_log import SUFFIX, JournalReader
from dvcview.tracking.execution import read_executions

HELD_BY_DVC = Path(".dvc/tmp/rwlock")
PROGRAM = re.compile(r"^\S*/(dvc|__main__\.py) ")  # what a command line begins with


@dataclass(frozen=True)
class Work:
    """Somebody at work, and a path that is read or written, from the project's folder."""

    who: str
    path: str

    def touches(self, out: str) -> bool:
        """Whether an out is that path, lies in it, or holds it.

        >>> Work("dvc repro", "data/digits").touches("data/digits")
        True
        >>> Work("dvc checkout", "data/digits/x.npy").touches("data/digits")
        True
        >>> Work("dvc repro", "data/digits").touches("data/digits2")
        False
        """
        here, there = Path(self.path), Path(out)
        return here.is_relative_to(there) or there.is_relative_to(here)


def at_work(root: Path, states: Mapping[str, StageState]) -> set[Work]:
    """What DVC holds, and the outs of stages that run, be it that nobody waits for them."""
    return {*(held_by_dvc(root) or ()), *_running_stages(root, states)}


def held_by_dvc(root: Path) -> set[Work] | None:
    """What DVC locks while it runs a stage, reads its deps, or checks out; None where its notes
    cannot be read, because it writes them at this moment or was killed in such a one.

    Source: `dvc.rwlock`, DVC 3.67.
    """
    file = root / HELD_BY_DVC
    try:
        held, written = json.loads(file.read_bytes()), file.stat().st_mtime
    except FileNotFoundError:
        return set()
    except ValueError:
        return None
    return {
        Work(f"`dvc {PROGRAM.sub('', holder['cmd'])}` (process {holder['pid']})",
             Path(path).relative_to(root).as_posix())
        for mode in ("read", "write")
        for path, holders in held.get(mode, {}).items()
        for holder in (holders if isinstance(holders, list) else [holders])
        if Path(path).is_relative_to(root) and _is_older(holder["pid"], written)
    }  # fmt: skip


def _is_older(pid: int, time: float) -> bool:
    """Whether a process runs that was there before; a killed DVC's number may be another's now."""
    try:
        return bool(psutil.Process(pid).create_time() <= time)
    except psutil.Error:
        return False


def _running_stages(root: Path, states: Mapping[str, StageState]) -> Iterator[Work]:
    for execution in read_executions(root):
        if Path(execution.workspace) != root:
            continue
        for path in execution.folder(root).glob(f"*{SUFFIX}"):
            journal = JournalReader(path)
            with suppress(FileNotFoundError):  # a recorder has just delivered it
                journal.new_events()
            if journal.begin and not journal.end and not journal.writer_is_gone():
                stage = journal.begin["stage"]
                who = f"stage {stage} (process {journal.begin['pid']})"
                for out in states[stage].outs if stage in states else ():
                    yield Work(who, out)
