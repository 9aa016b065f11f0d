"""What a stage does for MLflow: it writes an event log, and starts the process that uploads it.

If the store cannot be reached, a stage logs one line and goes on. Only a strict stage fails.
"""

from __future__ import annotations

import os
import re
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from dvcview.console import log
from dvcview.errors import UserError, first_line
from dvcview.files.checksum import md5_of_outs
from dvcview.project.definitions import PIPELINE
from dvcview.tracking.address import tracking_uri, unreachable
from dvcview.tracking.environment import capture_environment
from dvcview.tracking.event_log import EventLog, identity_of
from dvcview.tracking.execution import (
    FAILED,
    WARNED,
    begin_execution,
    ensure_recorder,
    project_root,
    this_execution,
)

MODE = "DVCVIEW_TRACKING"
STRICT_TIMEOUT = 60  # seconds that a strict stage waits at its end for the upload


class StageRun:
    """The MLflow run of a stage. Failures are logged once."""

    def __init__(self, stage: str, outs: Path | None, *, strict: bool) -> None:
        self._stage = stage
        self._outs = outs
        self._strict = strict
        self._root = project_root()
        self._folder: Path | None = None
        self._event_log: EventLog | None = None
        self._has_warned = False

    def begin(self, params: Mapping[str, Any], device: str) -> None:
        """Record the start of the stage; outside of a project nothing is recorded."""
        if not (self._root / ".dvc").is_dir():
            return
        with self._errors_logged():
            execution = this_execution()
            self._folder = begin_execution(execution, self._root)
            self._event_log = EventLog(self._folder, self._stage)
            process = psutil.Process()
            self._write(
                "begin",
                stage=self._stage,
                process=identity_of(process),
                command=" ".join(["python", *sys.argv]),
                params=dict(params),
                environment=capture_environment(device, in_experiment=bool(execution.experiment)),
            )
            ensure_recorder(self._folder, execution)
        self._warn(unreachable(tracking_uri(self._root)))

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Record the metrics of one step, such as an epoch."""
        with self._errors_logged():
            self._write("epoch", epoch=step, metrics=dict(metrics))
        self._warn(self._upload_failure())

    def end(self, error: BaseException | None) -> None:
        """Record how the stage ended; a strict stage waits until that is uploaded."""
        with self._errors_logged():
            outs = {} if error or self._outs is None else md5_of_outs(self._outs)
            self._write("end", **_ending(error), outs=outs)
            if self._event_log:
                self._event_log.close()
        if error is None:
            if not self._has_warned:  # a second check would cost the same wait again
                self._warn(self._upload_failure() or unreachable(tracking_uri(self._root)))
            if self._strict:
                self._wait_for_upload()

    def _write(self, event: str, **values: Any) -> None:
        if self._event_log:
            self._event_log.write(event, **values)

    @contextmanager
    def _errors_logged(self) -> Iterator[None]:
        """Log errors instead of raising them: a full disk ends the event log, not the training."""
        try:
            yield
        except Exception as error:  # any error here is unrelated to the stage's own work
            self._event_log = None
            self._warn(first_line(error))

    def _upload_failure(self) -> str | None:
        failed = self._folder / FAILED if self._folder else None
        return failed.read_text(encoding="utf-8") if failed and failed.exists() else None

    def _warn(self, reason: str | None) -> None:
        """Warn once per execution that MLflow is not available; a strict stage fails."""
        if not reason:
            return
        self._has_warned = True
        if self._strict:
            raise UserError(f"MLflow is not available ({reason}), and {MODE} is strict")
        try:
            if self._folder:
                (self._folder / WARNED).touch(exist_ok=False)
        except FileExistsError:
            return
        except OSError:  # then the warning is repeated
            pass
        log(f"MLflow is not available ({reason}); the run goes on, `dvcview sync` uploads it later")

    def _wait_for_upload(self) -> None:
        if self._event_log is None:
            return
        uploaded = self._event_log.path.with_suffix(".uploaded")
        deadline = time.monotonic() + STRICT_TIMEOUT
        while not uploaded.exists() or int(uploaded.read_text()) < self._event_log.events:
            self._warn(self._upload_failure())
            if time.monotonic() > deadline:
                self._warn(f"nothing was uploaded within {STRICT_TIMEOUT} s")
            time.sleep(0.1)


@contextmanager
def stage_run(
    stage: str | None = None,
    outs: Path | None = None,
    params: Mapping[str, Any] | None = None,
    *,
    device: object = "cpu",
    silent: bool = False,
) -> Iterator[StageRun]:
    """The MLflow run of a stage: RUNNING while the block runs, then FINISHED, FAILED or KILLED.

    Args:
        stage: the stage's name in dvc.lock; by default the one that DVC is running.
        outs: the folder or file that it writes. With it, the run is certain to get the files that
            this stage has written, even if the stage soon runs again.
        params: its parameters with flat names, as in params.yaml. Without them, the run shows its
            parameters once it has ended.
        device: where it computes.
        silent: record nothing. If several processes run a stage together, all but one are silent.
    """
    mode = os.environ.get(MODE, "")
    if mode not in {"", "strict"}:
        raise UserError(f"{MODE} is {mode!r}; allowed: strict, or leave it out")
    name = stage or _stage_name()
    run = StageRun(name, outs, strict=mode == "strict")
    if silent:
        yield run
        return
    run.begin(params or {}, str(device))
    try:
        yield run
    except BaseException as error:
        run.end(error)
        raise
    run.end(None)


def _stage_name() -> str:
    """The address of the stage that DVC is running, as in `dvcview.project.lockfile`.

    DVC tells it without the path of its dvc.yaml if both lie in the same folder.
    """
    name = os.environ.get("DVC_STAGE") or Path(sys.argv[0]).stem
    here, root = Path.cwd().resolve(), project_root().resolve()
    if ":" in name or here == root or not here.is_relative_to(root):
        return name
    return f"{here.relative_to(root).as_posix()}/{PIPELINE}:{name}" if _has_stage(name) else name


def _has_stage(name: str) -> bool:
    """Whether the dvc.yaml in the current folder has this stage; `name` may end in `@VARIANT`."""
    file = Path(PIPELINE)
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    return bool(re.search(rf"^\s+{re.escape(name.partition('@')[0])}:", text, re.MULTILINE))


def _ending(error: BaseException | None) -> dict[str, Any]:
    """MLflow's status of a stage that ended with `error`, and the error as text."""
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
