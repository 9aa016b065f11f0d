"""Runs a stage in several processes, started by torch's elastic launcher.

The process of the stage is the launcher (`launch`). It holds the stage's lock, notices when a
worker is killed, and then restarts all workers, which resume from the last checkpoint. Each worker
runs `python src/stage.py STAGE` (`run_worker`). Workers of other machines join through the
launcher's own options, which it also reads from the environment (PET_NNODES, PET_NODE_RANK,
PET_MASTER_ADDR, ...): docs/scaling.md.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import timedelta
from pathlib import Path

from dlvc.params.reader import read_params
from dvcview.console import log, set_signal_handlers
from dvcview.errors import UserError
from dvcview.run.stage_process import exit_with_parent, stage_lock

MAX_RESTARTS = 3
STOP_TIMEOUT = 3  # seconds that the other workers give the main process for its last checkpoint
STORE_TIMEOUT = timedelta(seconds=10)  # for an answer of the launcher's store
MACHINES = "PET_NNODES"  # the launcher's option --nnodes
# A user's mistake must not be repeated by restarts. The worker writes it to the file that this
# variable names, for the launcher; the key of the same name in the store informs all workers.
USER_ERROR = "DLVC_USER_ERROR"
USER_ERRORS = Path(".dlvc/user_errors")


def uses_several_processes() -> bool:
    """Whether distributed stages run in several processes, on this machine or with others."""
    return read_params().runtime.processes > 1 or MACHINES in os.environ


def is_worker() -> bool:
    """Whether torch's launcher has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def launch(stage: str) -> None:
    """Run a stage in several processes on this machine; returns when all have succeeded.

    Raises:
        UserError: a mistake of the user, or a worker that fails again after every restart.
        KeyboardInterrupt, SystemExit: a signal, as a stage in a single process raises them.
    """
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    runtime = read_params().runtime
    cores = os.cpu_count() or 1
    if runtime.processes * runtime.threads > cores:
        log(
            f"{runtime.processes} processes of {runtime.threads} threads compete for {cores} "
            "cores; a lower runtime.threads in params.yaml is faster"
        )
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    logging.getLogger("torch.distributed.run").setLevel(logging.CRITICAL)
    user_error = USER_ERRORS / stage
    user_error.parent.mkdir(parents=True, exist_ok=True)
    user_error.unlink(missing_ok=True)
    os.environ[USER_ERROR] = str(user_error)
    # torch would choose the number of threads itself, and print four lines about it.
    os.environ.setdefault("OMP_NUM_THREADS", str(runtime.threads))
    local = [] if MACHINES in os.environ else ["--standalone", "--local-addr", "127.0.0.1"]
    size = ["--nproc-per-node", str(runtime.processes), "--max-restarts", str(MAX_RESTARTS)]
    timeout = ["--shutdown-timeout", str(STOP_TIMEOUT + 1)]
    try:
        run.main([*local, *size, *timeout, sys.argv[0], stage])
    except SignalException as ended:
        if ended.sigval == signal.SIGINT:
            raise KeyboardInterrupt from None
        raise SystemExit(128 + ended.sigval) from None
    except ChildFailedError as failed:
        raise UserError(
            f"{stage}: its processes failed {MAX_RESTARTS + 1} times, the last time with exit code "
            f"{failed.get_first_failure()[1].exitcode}; their messages stand above. The same "
            "command resumes from the last checkpoint"
        ) from None
    if user_error.exists():
        raise UserError(user_error.read_text(encoding="utf-8"))


def run_worker(stage: str, main: Callable[[], None]) -> None:
    """Run a stage in one of several processes. All compute; only rank 0 writes and logs."""
    exit_with_parent()
    if _is_main():
        with stage_lock(f"{stage}.rank0"):
            _run(stage, main)
    else:
        set_signal_handlers(_exit_after_main_process)
        os.environ["TQDM_DISABLE"] = "1"
        with Path(os.devnull).open("w") as devnull, redirect_stdout(devnull):
            _run(stage, main)


def _is_main() -> bool:
    return os.environ["RANK"] == "0"


def _run(stage: str, main: Callable[[], None]) -> None:
    """Call `main`. After a reported mistake of the user, exit with 0, to prevent a restart."""
    from dlvc.training.process_group import PeerLostError

    try:
        main()
    except UserError as error:
        if _is_main():
            _report(error)
        elif not _is_reported(STOP_TIMEOUT):  # the mistake concerns this process alone
            log(f"process {os.environ['RANK']}: {error}")
            os._exit(1)
    except PeerLostError as error:
        if _is_main():
            log(f"{stage}: lost a process ({error}); all resume from the last checkpoint")
        sys.stderr.flush()
        # torch's clean-up may wait for the lost process.
        os._exit(0 if _is_reported(0) else 1)


def _report(error: UserError) -> None:
    """Inform the launcher and all other workers of a user's mistake."""
    from dlvc.training.process_group import launcher_store

    Path(os.environ.get(USER_ERROR, os.devnull)).write_text(str(error), encoding="utf-8")
    launcher_store(STORE_TIMEOUT).set(USER_ERROR, "")


def _is_reported(seconds: float) -> bool:
    """Whether the main process has reported a mistake, or does so within some seconds."""
    from dlvc.training.process_group import launcher_store

    deadline = time.monotonic() + seconds
    try:
        store = launcher_store(STORE_TIMEOUT)
        while not (reported := store.check([USER_ERROR])) and time.monotonic() < deadline:
            time.sleep(0.05)
    except RuntimeError:  # the launcher has ended
        return True
    return bool(reported)


def _exit_after_main_process(number: int, _frame: object) -> None:
    """Handle Ctrl-C or SIGTERM: keep computing until the main process has saved a checkpoint.

    This process ends when it notices the end of the main process, or after `STOP_TIMEOUT` seconds.
    """
    timer = threading.Timer(STOP_TIMEOUT, os._exit, (128 + number,))
    timer.daemon = True
    timer.start()
