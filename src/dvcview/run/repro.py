"""`dlvc run`: DVC, and what it lacks: one run at a time, torn files mended, Ctrl-C that waits."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import psutil
from filelock import FileLock

from dlvc.params.overrides import as_overrides, check_overlay
from dlvc.params.reader import PARAMS_FILE, check_pictures, read_params
from dvcview.console import handle, say
from dvcview.errors import UserError
from dvcview.files.artifacts import writable, write_bytes
from dvcview.project.git import git_bytes
from dvcview.run.lockfile_backup import LOCK, WHOLE_LOCK, forget_complete, is_whole, keep_lock
from dvcview.run.stage_process import PATIENT, WRITERS, acquire, dvc_processes
from dvcview.tracking.execution import PARENT_RUN
from dvcview.tracking.stage_run import MODE
from dvcview.tracking.sync import sync
from dvcview.verify.active_processes import HELD_BY_DVC, held_by_dvc

RUN_LOCK = Path(".dlvc/run.lock")
POLL = 0.5  # seconds
PATIENCE = 3  # looks at notes that cannot be read, until they are taken for half a file


def run_pipeline(stage: str | None, values: Mapping[str, Any]) -> int:
    """`dvc repro`; with values `dvc exp run`, which leaves them in params.yaml. Then a sync.

    Everything is checked first: DVC deletes a stage's outs before the stage could complain. The
    exit code is DVC's, or the shell's for a signal.
    """
    if values:
        check_pictures(check_overlay(values, "the values given"))
        words = ["exp", "run", *as_overrides(values)]
    else:
        check_pictures(read_params())
        words = ["repro"]
    before = PARAMS_FILE.read_bytes()
    with alone() as place:
        mend_lock()
        keep_lock()
        command = [sys.executable, "-m", "dvc", PATIENT, *words, *([stage] if stage else [])]
        failed = _call(command, place)
        if not failed:
            forget_complete()
    if not values and PARAMS_FILE.read_bytes() != before:
        say(f"{PARAMS_FILE} has changed meanwhile; run again for the stages that had run before")
    if failed in (128 + signal.SIGINT, 128 + signal.SIGTERM):
        return failed
    try:
        print(sync(Path.cwd()))
    except UserError as error:  # a view, never a condition
        if os.environ.get(MODE) == "strict":
            raise
        say(str(error))
    return failed


@contextmanager
def alone() -> Iterator[int]:
    """Be the only run in this folder; wait for another, and for what a killed one has left.

    A descriptor is given that is the place itself: it is free when every process that has it has
    ended, so DVC inherits it, and goes on to hold it when this process is killed.
    """
    with writable(RUN_LOCK):
        RUN_LOCK.parent.mkdir(parents=True, exist_ok=True)
        place = os.open(RUN_LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is at work in this folder; waiting until it ends")
            fcntl.flock(place, fcntl.LOCK_EX)
        _wait_for_dvc()
        _wait_for_stages()
        yield place
    finally:
        os.close(place)


def _wait_for_stages() -> None:
    """An orphan stops by itself; until it has, it could still write an out."""
    for lock in WRITERS.glob("*.lock"):
        writer = FileLock(lock)
        acquire(writer, f"the stage {lock.stem} of a run that was killed is about to stop; waiting")
        writer.release()


def _wait_for_dvc() -> None:
    """Wait while another DVC, such as `dvc exp run`, is at it. The notes of dead ones are removed:
    DVC trusts a number of a process that somebody else may have now, and half a file not at all.

    Its notes are not enough: an experiment that holds nothing any more still writes dvc.lock.
    """
    here = Path.cwd()
    looks = 0
    told = False
    while (running := _by_number(dvc_processes(here))) or HELD_BY_DVC.exists():
        held = held_by_dvc(here)
        looks += held is None
        unclear = held is None and looks < PATIENCE  # somebody may be writing at this moment
        if not running and not held and not unclear:
            HELD_BY_DVC.unlink(missing_ok=True)
            return
        who = running | {work.who for work in held or ()}
        if who and not told:
            names = ", ".join(sorted(who))
            say(f"another DVC is at work here: {names}; waiting until it ends")
            told = True
        time.sleep(POLL)


def _by_number(processes: Mapping[psutil.Process, str]) -> set[str]:
    return {f"`{command}` (process {process.pid})" for process, command in processes.items()}


def mend_lock() -> None:
    """Bring back the last whole dvc.lock if it is none now, and say so.

    What DVC was about to add is in its run cache, and comes from there.
    """
    if not LOCK.exists() or is_whole(LOCK.read_bytes()):
        return
    kept = WHOLE_LOCK.read_bytes() if WHOLE_LOCK.exists() else b""
    committed = git_bytes(Path.cwd(), "show", f"HEAD:./{LOCK}") or b""
    for text, source in ((kept, "as the last stage found it"), (committed, "as it is in git")):
        if is_whole(text):
            write_bytes(LOCK, text)
            say(f"{LOCK} was cut off in the middle of writing; it is again {source}")
            return
    LOCK.unlink()
    say(f"{LOCK} was cut off in the middle of writing; it is removed, so every stage is new")


def _call(command: Sequence[str], place: int) -> int:
    """Run a command to its end. Ctrl-C and SIGTERM are handed on as Ctrl-C, and it is waited for:
    a stage in training writes a checkpoint, and DVC ends after its stage."""
    process = subprocess.Popen(command, env=_environment(), pass_fds=[place])
    asked: list[int] = []

    def hand_on(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        _interrupt(process.pid)

    before = handle(hand_on)
    try:
        failed = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 + asked[0] if asked and failed else failed


def _interrupt(number: int) -> None:
    """As a terminal would: Ctrl-C for a process and those below it, in our group of processes.

    What a script starts in the background ignores Ctrl-C, and so does all below it. Then it is
    SIGTERM, for those below alone: DVC itself would end at once, and not wait for its stage.
    """
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    try:
        process = psutil.Process(number)
        below = process.children(recursive=True)
    except psutil.Error:
        return
    for member in below if ignored else [process, *below]:
        try:
            if os.getpgid(member.pid) == os.getpgrp():
                member.send_signal(signal.SIGTERM if ignored else signal.SIGINT)
        except (OSError, psutil.Error):  # it has just ended
            continue


def _environment() -> dict[str, str]:
    """Ours, with this environment's `python` first, and with `mlflow run`'s run as parent.

    `MLFLOW_RUN_ID` itself must not reach the stages: each would take that run for its own.
    """
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    run_id = environment.pop("MLFLOW_RUN_ID", None)
    if run_id:
        environment[PARENT_RUN] = run_id
    return environment
