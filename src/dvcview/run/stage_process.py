"""A stage as a process: it ends when its DVC ends, and no other process writes its outs."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from dvcview.console import log
from dvcview.files.artifacts import writable
from dvcview.project.dvc_processes import parent_dvc_process
from dvcview.project.lock_copies import keep_copy
from dvcview.run.stage_inputs import StageInputs
from dvcview.tracking.event_log import identity_of, is_alive

STAGE_LOCKS = Path(".dvcview/stages")
STARTED_BY_DVC = "DVC_STAGE"
POLL = 0.2  # seconds
GRACE = 60  # seconds for the clean-up after SIGTERM, such as a checkpoint
# How often a waiting OpenMP thread polls before it sleeps. GNU's default is 300,000, which assumes
# that no other process needs the core: beside one busy process an update of the MLP then takes 60
# times as long as alone, and one of DenseNet 120 times. With 2,000 it is at most four times, and
# without a busy process an update takes at most 1.1 times as long as with GNU's default
# (benchmarks/README.md). The value changes no result.
OPENMP_WAITING = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
SPIN_COUNT = "2000"


@contextmanager
def stage_process(stage: str, variant: str | None = None) -> Iterator[None]:
    """Run a stage: it alone writes its outs, and its inputs must not change meanwhile.

    Raises:
        UserError: a dep or a parameter has changed. DVC would record the results of the old value
            under the new one.
    """
    with stage_lock(f"{stage}@{variant}" if variant else stage):
        keep_copy(Path.cwd())
        inputs = StageInputs.read(stage, variant)
        yield
        inputs.check_unchanged(stage, variant)


@contextmanager
def stage_lock(name: str) -> Iterator[None]:
    """Hold the lock of a stage; wait for a process that has it, such as an orphan of a killed DVC.

    The operating system releases the lock when its process ends, even if it is killed.
    """
    lock = FileLock(STAGE_LOCKS / f"{name}.lock")
    with writable(STAGE_LOCKS):
        STAGE_LOCKS.mkdir(parents=True, exist_ok=True)
        acquire(lock, f"{name}: another process runs this stage; waiting")
    try:
        yield
    finally:
        lock.release()


def acquire(lock: FileLock, message: str) -> None:
    """Acquire a lock; log the message if this has to wait."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log(message)
        lock.acquire()


def exit_with_dvc() -> None:
    """Terminate this process when the DVC that started it has ended.

    `kill -9` of DVC leaves its stage running, and DVC would not record the outs. A stage that was
    started without DVC has no parent to watch.
    """
    if STARTED_BY_DVC not in os.environ:
        return
    found = parent_dvc_process()
    # None is found if DVC runs within another program, or has already ended.
    parent = found[0] if found else _living_parent()
    _exit_with(parent, "the dvc that started this stage has ended: the stage stops")


def exit_with_parent() -> None:
    """Terminate this process when the process that started it has ended."""
    _exit_with(_living_parent(), "the launcher of this process has ended: the process stops")


def _living_parent() -> psutil.Process | None:
    """The parent of this process; None if it has already ended, so that init is the parent.

    In a container, the program that was started is process 1 and can well be the parent.
    """
    parent = psutil.Process().parent()
    if parent is None or parent.pid != 1:
        return parent
    try:
        is_python = Path(parent.cmdline()[0]).name.startswith("python")
    except (psutil.Error, IndexError):
        return None
    return parent if is_python else None


def _exit_with(process: psutil.Process | None, message: str) -> None:
    if process is None:
        _terminate()
        return

    identity = identity_of(process)

    def wait() -> None:
        # `process.wait` would also wait until the parent of the process has reaped it.
        while is_alive(identity):
            time.sleep(POLL)
        log(message)
        _terminate()
        # Python calls the handler of SIGTERM only when the main thread runs Python code again. If a
        # library hangs in C, that never happens.
        time.sleep(GRACE)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def limit_openmp_spinning() -> None:
    """Limit how long OpenMP threads spin, if no variable does. Call this before importing torch."""
    if not any(name in os.environ for name in OPENMP_WAITING):
        os.environ["GOMP_SPINCOUNT"] = SPIN_COUNT
