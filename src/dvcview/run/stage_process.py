"""A stage as a process: it ends with the DVC that started it, and writes its outs alone."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from dvcview.console import say
from dvcview.files.artifacts import writable

WRITERS = Path(".dlvc/writers")
STARTED_BY_DVC = "DVC_STAGE"
# A DVC that has to lock what another one reads gives up after three seconds, and its stage is lost.
PATIENT = "--wait-for-lock"
# How often a waiting OpenMP thread looks before it sleeps. GNU's default is 300,000, which assumes
# that no other process needs the core: beside one busy process an update of the MLP then takes 60
# times as long as alone, and one of DenseNet 120 times. With 1,000 it is at most three times, and
# without a busy process an update takes 1.1 to 1.4 times as long as with GNU's default
# (benchmarks/README.md). The value changes no result.
OPENMP_WAITING = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
SPIN_COUNT = "1000"
WRITE_LOCK = {"repro", "run", "apply", "commit"}  # commands of DVC that change dvc.lock


def dvc_process() -> tuple[psutil.Process, str] | None:
    """The nearest ancestor that is DVC, and its command."""
    for process in psutil.Process().parents():
        command = _dvc_command(process)
        if command:
            return process, command
    return None


def dvc_processes(folder: Path) -> dict[psutil.Process, str]:
    """The DVCs that run the pipeline of a folder at this moment, and their commands."""
    found = {}
    for process in psutil.process_iter():
        command = _dvc_command(process) or ""
        try:
            if not WRITE_LOCK.isdisjoint(command.split()) and process.cwd() == str(folder):
                found[process] = command
        except psutil.Error:
            continue
    return found


def _dvc_command(process: psutil.Process) -> str | None:
    """`dvc repro` of `dvc repro`, of `python .../bin/dvc repro`, and of `python -m dvc repro`.

    Whether it waits for a lock is left out: it says nothing about what is done.
    """
    try:
        words = process.cmdline()
    except psutil.Error:  # not ours to look at, or gone
        return None
    for position, word in enumerate(words[:4]):
        if Path(word).name == "dvc":
            return " ".join(["dvc", *(word for word in words[position + 1 :] if word != PATIENT)])
    return None


def end_with_dvc() -> None:
    """Have this process terminated when the DVC that started it is gone.

    `kill -9` of dvc leaves its stage alive, and nobody would take what it makes. A stage that was
    started by hand has nobody to follow.
    """
    if STARTED_BY_DVC not in os.environ:
        return
    found = dvc_process()
    # DVC from within another program, or one that was gone before this process could look.
    parent = found[0] if found else psutil.Process().parent()
    if parent is None or parent.pid == 1:
        _terminate()
    else:
        _follow(parent, "the dvc that started this stage is gone: it stops, too")


def end_with_parent() -> None:
    """Have this process terminated when the one that started it is gone."""
    parent = psutil.Process().parent()
    if parent is None or parent.pid == 1:
        _terminate()
    else:
        _follow(parent, "the launcher of this process is gone: it stops, too")


def _follow(process: psutil.Process, message: str) -> None:
    def wait() -> None:
        process.wait()
        say(message)
        _terminate()

    threading.Thread(target=wait, daemon=True).start()


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def limit_openmp_spinning() -> None:
    """Set how long OpenMP spins, unless the user has. It must happen before torch is imported."""
    if not any(name in os.environ for name in OPENMP_WAITING):
        os.environ["GOMP_SPINCOUNT"] = SPIN_COUNT


@contextmanager
def one_writer(name: str) -> Iterator[None]:
    """Be the only process at the outs of a stage; wait for another, such as the orphan of a DVC
    that was killed. The system gives the place free when its holder ends, however that is."""
    lock = FileLock(WRITERS / f"{name}.lock")
    with writable(WRITERS):
        WRITERS.mkdir(parents=True, exist_ok=True)
        acquire(lock, f"{name}: another process is at it; waiting")
    try:
        yield
    finally:
        lock.release()


def acquire(lock: FileLock, message: str) -> None:
    """Take a lock; say so if that means to wait."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(message)
        lock.acquire()
