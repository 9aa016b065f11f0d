"""What a stage does for tracking: it writes a journal, and starts the process that delivers it.

A view, never a condition: when MLflow cannot be reached, one line says so and the stage goes on.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from dvcview.errors import UserError, first_line
from dvcview.files.hashes import md5_of_outs
from dvcview.tracking.address import tracking_uri, unreachable
from dvcview.tracking.environment import surroundings
from dvcview.tracking.event_log import Journal
from dvcview.tracking.execution import (
    FAILED,
    SAID,
    begin_execution,
    ensure_recorder,
    project_root,
    this_execution,
)

if TYPE_CHECKING:
    from dlvc.training.state import Epoch

MODE = "DLVC_TRACKING"
STRICT_PATIENCE = 60  # seconds that a strict stage waits at its end for its delivery


class StageRun:
    """What a stage says to MLflow, by way of its journal. When it cannot, it says so once."""

    def __init__(self, stage: str, outs: Path, *, strict: bool) -> None:
        self._stage = stage
        self._outs = outs
        self._strict = strict
        self._root = project_root()
        self._folder: Path | None = None
        self._journal: Journal | None = None
        self._complained = False

    def begin(self, params: Mapping[str, Any], device: str) -> None:
        """Say what begins, in which surroundings; outside of a project there is nobody to tell."""
        if not (self._root / "dvc.yaml").exists():
            return
        with self._survived():
            execution = this_execution()
            self._folder = begin_execution(execution, self._root)
            self._journal = Journal(self._folder, self._stage)
            process = psutil.Process()
            self._write(
                "begin",
                stage=self._stage,
                pid=process.pid,
                created=process.create_time(),
                command=" ".join(["python", *sys.argv]),
                params=dict(params),
                surroundings=surroundings(device, in_experiment=bool(execution.experiment)),
            )
            ensure_recorder(self._folder)
        self._complain(unreachable(tracking_uri(self._root)))

    def log_epoch(self, record: Epoch) -> None:
        """Say what one epoch brought."""
        metrics = {
            "train_loss": record.train_loss,
            "train_accuracy": record.train_accuracy,
            "test_loss": record.test.loss,
            "test_accuracy": record.test.accuracy,
        }
        with self._survived():
            self._write("epoch", epoch=record.epoch, updates=record.updates, metrics=metrics)
        self._complain(self._undelivered())

    def end(self, error: BaseException | None) -> None:
        """Say how it ended; a strict stage waits until that has been delivered."""
        with self._survived():
            outs = {} if error else md5_of_outs(self._outs)
            self._write("end", **_ending(error), outs=outs)
            if self._journal:
                self._journal.close()
        if error is None:
            if not self._complained:  # asking again would cost the same wait again
                self._complain(self._undelivered() or unreachable(tracking_uri(self._root)))
            if self._strict:
                self._wait()

    def _write(self, event: str, **values: Any) -> None:
        if self._journal:
            self._journal.write(event, **values)

    @contextmanager
    def _survived(self) -> Iterator[None]:
        """A full disk or a folder that cannot be written to costs the view, not the training."""
        try:
            yield
        except Exception as error:  # whatever it is, it is not the stage's own work
            self._journal = None
            self._complain(first_line(error))

    def _undelivered(self) -> str | None:
        failed = self._folder / FAILED if self._folder else None
        return failed.read_text(encoding="utf-8") if failed and failed.exists() else None

    def _complain(self, reason: str | None) -> None:
        """Tell the user, once an execution, that the view is missing; strict makes it an error."""
        if not reason:
            return
        self._complained = True
        if self._strict:
            raise UserError(f"MLflow is not available ({reason}), and {MODE} is strict")
        try:
            if self._folder:
                (self._folder / SAID).touch(exist_ok=False)
        except FileExistsError:
            return
        except OSError:  # then it is said more than once
            pass
        print(
            f"MLflow is not available ({reason}); the run goes on, `dlvc sync` will deliver it",
            file=sys.stderr,
        )

    def _wait(self) -> None:
        if self._journal is None:
            return
        delivered = self._journal.path.with_suffix(".delivered")
        until = time.monotonic() + STRICT_PATIENCE
        while not delivered.exists() or int(delivered.read_text()) < self._journal.events:
            self._complain(self._undelivered())
            if time.monotonic() > until:
                self._complain(f"nothing was delivered within {STRICT_PATIENCE} s")
            time.sleep(0.1)


@contextmanager
def stage_run(
    stage: str,
    outs: Path,
    params: Mapping[str, Any],
    *,
    device: object = "cpu",
    silent: bool = False,
) -> Iterator[StageRun]:
    """The run of one stage: RUNNING in MLflow while the block runs, then as the block ended.

    `stage` is its name in dvc.lock, `outs` the folder or file that it leaves, `params` its
    parameters with flat names as in params.yaml. Of several processes that run it together, all
    but one are `silent`.
    """
    mode = os.environ.get(MODE, "")
    if mode not in {"", "strict"}:
        raise UserError(f"{MODE} is {mode!r}; allowed: strict, or leave it out")
    run = StageRun(stage, outs, strict=mode == "strict")
    if silent:
        yield run
        return
    run.begin(params, str(device))
    try:
        yield run
    except BaseException as error:
        run.end(error)
        raise
    run.end(None)


def _ending(error: BaseException | None) -> dict[str, Any]:
    """MLflow's word for how a stage ended, and what it said."""
    match error:
        case None:
            return {"status": "FINISHED"}
        case KeyboardInterrupt():
            return {"status": "KILLED", "error": "interrupted (Ctrl-C)"}
        case SystemExit():
            return {"status": "KILLED", "error": f"terminated (exit code {error.code})"}
        case UserError():
            return {"status": "FAILED", "error": str(error)}
        case _:
            line = "".join(traceback.format_exception_only(error)).strip()
            trace = "".join(traceback.format_exception(error))
            return {"status": "FAILED", "error": line, "traceback": trace}
