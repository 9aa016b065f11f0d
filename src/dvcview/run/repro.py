"""Runs DVC, and adds exclusive runs, repair of dvc.lock, and a Ctrl-C that waits for the stage."""

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

import psutil
from filelock import FileLock

from dvcview.console import log, set_signal_handlers
from dvcview.errors import UserError
from dvcview.files.artifacts import writable
from dvcview.project.dvc_processes import (
    DVC_WITH_PROGRESS,
    RWLOCK,
    WAIT_FOR_LOCK,
    dvc_processes,
    paths_locked_by_dvc,
)
from dvcview.project.git import has_identity, in_repository
from dvcview.project.lock_copies import keep_copy
from dvcview.project.params import PARAMS_FILE
from dvcview.project.root import make_state_folder
from dvcview.run.lockfile_repair import repair_lockfile
from dvcview.run.stage_process import STAGE_LOCKS, acquire
from dvcview.run.without_git import configure_scm, write_params
from dvcview.tracking.execution import PARENT_RUN
from dvcview.tracking.stage_logger import MODE
from dvcview.tracking.sync import sync

RUN_LOCK = Path(".dvcview/run.lock")
POLL = 0.5  # seconds
REFUSING_SHELLS = ("nologin", "false")
IDENTITY = {
    "GIT_AUTHOR_NAME": "dvcview", "GIT_AUTHOR_EMAIL": "dvcview@localhost",
    "GIT_COMMITTER_NAME": "dvcview", "GIT_COMMITTER_EMAIL": "dvcview@localhost",
}  # fmt: skip
UNREADABLE_LOOKS = 3  # after this many looks, a killed DVC must have left the unreadable rwlock


def run_pipeline(stage: str | None, overrides: Sequence[str]) -> int:
    """Run `dvc repro`, or `dvc exp run` with overrides (`-S key=value`); then sync MLflow.

    Outside of a git repository, overrides are written into params.yaml before `dvc repro`.

    The caller has checked the parameters: DVC deletes a stage's outs before the stage can
    report an error.

    Returns:
        The exit code of DVC, or 128 and the number of the signal that stopped it.
    """
    root = Path.cwd()
    with exclusive_run() as lock_fd:
        configure_scm(root)
        if overrides and not in_repository(root):
            write_params(overrides)
            overrides = ()
        words = ["exp", "run", *overrides] if overrides else ["repro"]
        before = PARAMS_FILE.read_bytes() if PARAMS_FILE.exists() else b""
        repair_lockfile()
        keep_copy(root)
        # With -P no file of this folder, such as json.py, replaces a module of the same name.
        dvc = [sys.executable, "-P", "-m", DVC_WITH_PROGRESS, WAIT_FOR_LOCK]
        command = [*dvc, *words, *([stage] if stage else [])]
        environment = _environment()
        if overrides and not has_identity(root):  # `dvc exp run` makes commits
            environment = IDENTITY | environment  # variables of the user come first
        exit_code = _call(command, environment, lock_fd)
    if not overrides and PARAMS_FILE.exists() and PARAMS_FILE.read_bytes() != before:
        log(f"{PARAMS_FILE} has changed meanwhile; run again for the stages that had run before")
    if exit_code in (128 + signal.SIGINT, 128 + signal.SIGTERM):
        return exit_code
    try:
        synced = sync(root, is_partial=bool(stage or exit_code))
        if not exit_code:  # otherwise the last message is about the failure
            print(synced)
    except UserError as error:  # a run does not fail because MLflow does
        if os.environ.get(MODE) == "strict":
            raise
        if not exit_code:
            log(str(error))
    return exit_code


@contextmanager
def exclusive_run() -> Iterator[int]:
    """Make this the only run in the folder: wait for other runs, and for orphans of killed runs.

    Yields the file descriptor of the lock. The lock is released when every process that has the
    descriptor has ended. DVC inherits it, so DVC holds the lock even if this process is killed.
    """
    make_state_folder(Path.cwd())
    with writable(RUN_LOCK):
        lock_fd = os.open(RUN_LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log("another run is active in this folder; waiting until it ends")
            fcntl.flock(lock_fd, fcntl.LOCK_EX)
        _wait_for_dvc()
        _wait_for_stages()
        yield lock_fd
    finally:
        os.close(lock_fd)


def _wait_for_stages() -> None:
    """Wait for orphaned stages: until they have stopped, they can still write an out."""
    for path in STAGE_LOCKS.glob("*.lock"):
        lock = FileLock(path)
        acquire(lock, f"the stage {path.stem} of a killed run is about to stop; waiting")
        lock.release()


def _wait_for_dvc() -> None:
    """Wait until no other DVC, such as `dvc exp run`, is active in this folder.

    Deletes an rwlock file that a killed DVC has left: DVC trusts the process number in it, which
    another process may have by now, and fails if the file is truncated. The file alone does not
    suffice to find an active DVC: an experiment that has released its locks still writes dvc.lock.
    """
    here = Path.cwd()
    looks = 0
    logged = False
    while (running := _descriptions(dvc_processes(here))) or RWLOCK.exists():
        locked = paths_locked_by_dvc(here)
        looks += locked is None
        may_be_written_now = locked is None and looks < UNREADABLE_LOOKS
        if not running and not locked and not may_be_written_now:
            RWLOCK.unlink(missing_ok=True)
            return
        who = running | {path.who for path in locked or ()}
        if who and not logged:
            log(f"another DVC is active here: {', '.join(sorted(who))}; waiting until it ends")
            logged = True
        time.sleep(POLL)


def _descriptions(processes: Mapping[psutil.Process, str]) -> set[str]:
    return {f"`{command}` (process {process.pid})" for process, command in processes.items()}


def _call(command: Sequence[str], environment: Mapping[str, str], lock_fd: int) -> int:
    """Run a command and wait for it. Ctrl-C and SIGTERM are forwarded to it as Ctrl-C.

    Waiting matters: a training stage saves a checkpoint, and DVC ends after its stage.
    """
    process = subprocess.Popen(command, env=environment, pass_fds=[lock_fd])
    received: list[int] = []

    def forward(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        _interrupt(process.pid)

    before = set_signal_handlers(forward)
    try:
        exit_code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received and exit_code:
        return 128 + received[0]
    return 128 - exit_code if exit_code < 0 else exit_code  # a signal has ended DVC itself


def _interrupt(pid: int) -> None:
    """Send Ctrl-C, as a terminal does, to a process and its descendants in our process group.

    A shell script starts background commands with Ctrl-C ignored, and their children inherit that.
    Then only the descendants get SIGTERM: DVC itself would end at once without waiting for its
    stage.
    """
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    number = signal.SIGTERM if ignored else signal.SIGINT
    try:
        # DVC comes first. If a terminal has sent it Ctrl-C as well, this second one must not arrive
        # when DVC is about to exit: Python would print a traceback.
        if not ignored:
            os.kill(pid, number)
        descendants = psutil.Process(pid).children(recursive=True)
    except (OSError, psutil.Error):  # it has just ended
        return
    for member in descendants:
        try:
            if os.getpgid(member.pid) == os.getpgrp():
                member.send_signal(number)
        except (OSError, psutil.Error):
            continue


def _environment() -> dict[str, str]:
    """The environment of DVC: `python` is this one, and the run of `mlflow run` is the parent run.

    DVC starts stages with the user's shell. The shell of a service account runs no command, so
    /bin/sh replaces it.

    `MLFLOW_RUN_ID` itself must not reach the stages: each of them would resume that run.
    """
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    shell = Path(environment.get("SHELL") or "/bin/sh")
    if shell.name in REFUSING_SHELLS or not shell.exists():
        environment["SHELL"] = "/bin/sh"
    run_id = environment.pop("MLFLOW_RUN_ID", None)
    if run_id:
        environment[PARENT_RUN] = run_id
    return environment
