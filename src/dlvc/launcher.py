"""A stage on several processes: torch's elastic launcher, and what each of them does.

The stage's own process is the launcher (`launch`). It holds the stage's place, sees a process that
was killed, and starts all of them again, which go on from the last checkpoint. Each runs
`python -m dlvc.launcher STAGE`. More machines take part by the launcher's own options, which it
also takes from the environment (PET_NNODES, PET_NODE_RANK, PET_MASTER_ADDR, ...): docs/scaling.md.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from contextlib import redirect_stdout
from datetime import timedelta
from importlib import import_module
from pathlib import Path

from dlvc.params.schema import Runtime
from dvcview.console import handle, run_command, say
from dvcview.errors import UserError
from dvcview.run.stage_process import end_with_parent, limit_openmp_spinning, one_writer

RESTARTS = 3
TO_STOP = 3  # seconds that the others give the first one to write its last checkpoint
SOON = timedelta(seconds=10)  # within which the launcher's store has to answer
MACHINES = "PET_NNODES"  # the launcher's option --nnodes
TOLD = "DLVC_RANKS_TOLD"  # in our environment the file for the launcher; in its store for all
RANKS = Path(".dlvc/ranks")


def several_processes(runtime: Runtime) -> bool:
    """Whether a stage that can is to run in several, here or together with other machines."""
    return runtime.processes > 1 or MACHINES in os.environ


def launch(stage: str, runtime: Runtime) -> None:
    """Run a stage in several processes of this machine; returns when all is done.

    Raises what a stage by itself raises: `UserError` for a mistake of the user, `KeyboardInterrupt`
    and `SystemExit` for a signal.
    """
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    cores = os.cpu_count() or 1
    if runtime.processes * runtime.threads > cores:
        say(
            f"{runtime.processes} processes of {runtime.threads} threads on {cores} cores hold "
            "each other up; a lower runtime.threads in params.yaml is faster"
        )
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    logging.getLogger("torch.distributed.run").setLevel(logging.CRITICAL)
    told = RANKS / stage
    told.parent.mkdir(parents=True, exist_ok=True)
    told.unlink(missing_ok=True)
    os.environ[TOLD] = str(told)
    # What torch would choose itself, and say in four lines.
    os.environ.setdefault("OMP_NUM_THREADS", str(runtime.threads))
    alone = [] if MACHINES in os.environ else ["--standalone", "--local-addr", "127.0.0.1"]
    many = ["--nproc-per-node", str(runtime.processes), "--max-restarts", str(RESTARTS)]
    soon = ["--shutdown-timeout", str(TO_STOP + 1)]
    try:
        run.main([*alone, *many, *soon, "-m", __name__, stage])
    except SignalException as ended:
        if ended.sigval == signal.SIGINT:
            raise KeyboardInterrupt from None
        raise SystemExit(128 + ended.sigval) from None
    except ChildFailedError as failed:
        raise UserError(
            f"{stage}: its processes failed {RESTARTS + 1} times, the last time with exit code "
            f"{failed.get_first_failure()[1].exitcode}; what they said stands above. The same "
            "command goes on from the last checkpoint"
        ) from None
    if told.exists():
        raise UserError(told.read_text(encoding="utf-8"))


def main() -> None:
    """One of the processes. All compute; the first one writes, and talks to the user.

    The launcher starts everybody again when one fails. A mistake of the user would only be made
    again: it is written down for the launcher, and the process ends well.
    """
    (stage,) = sys.argv[1:]
    end_with_parent()
    limit_openmp_spinning()  # as the launcher has, unless that is torchrun itself
    if os.environ["RANK"] == "0":
        with one_writer(f"{stage}.first"):
            _run(stage)
    else:
        handle(_leave_later)
        os.environ["TQDM_DISABLE"] = "1"
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
            _run(stage)


def _run(stage: str) -> None:
    from dlvc.training.process_group import PeerLostError

    is_first = os.environ["RANK"] == "0"
    try:
        import_module(f"dlvc.stages.{stage}").main()
    except UserError as error:
        if is_first:
            _tell(error)
        elif not _is_told(TO_STOP):  # it is this one's mistake alone
            say(f"process {os.environ['RANK']}: {error}")
            os._exit(1)
    except PeerLostError as error:
        if is_first:
            say(
                f"{stage}: one of its processes was lost ({error}); all go on from the last "
                "checkpoint"
            )
        sys.stderr.flush()
        # What torch takes apart at its end may wait for the lost one.
        os._exit(0 if _is_told(0) else 1)


def _tell(error: UserError) -> None:
    """The launcher, that there is nothing to start again; and the others, wherever they are."""
    from dlvc.training.process_group import launchers_store

    Path(os.environ.get(TOLD, os.devnull)).write_text(str(error), encoding="utf-8")
    launchers_store(SOON).set(TOLD, "")


def _is_told(seconds: float) -> bool:
    """Whether the first process has made a mistake, or makes the same one in this moment."""
    from dlvc.training.process_group import launchers_store

    until = time.monotonic() + seconds
    try:
        store = launchers_store(SOON)
        while not (told := store.check([TOLD])) and time.monotonic() < until:
            time.sleep(0.05)
    except RuntimeError:  # its launcher has ended
        return True
    return bool(told)


def _leave_later(number: int, _frame: object) -> None:
    """Ctrl-C or SIGTERM: the first process needs the others to come to where it can be left, and
    when it has ended, they notice."""
    timer = threading.Timer(TO_STOP, os._exit, (128 + number,))
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    run_command(main)
