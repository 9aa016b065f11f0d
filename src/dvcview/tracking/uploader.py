"""Uploads the event logs of one execution to its runs in MLflow."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvcview.files.artifacts import write_bytes
from dvcview.project.git import git
from dvcview.project.lock_copies import copies_since, copy_before, delete_old_copies, keep_copy
from dvcview.project.lockfile import (
    MissingFileError,
    Pipeline,
    StageState,
    experiments,
    read_states,
)
from dvcview.tracking.event_log import SUFFIX, EventLogReader, now
from dvcview.tracking.execution import Execution, pending_stages, read_executions
from dvcview.tracking.finalize import finalize_run, log_outs
from dvcview.tracking.outs import read_outs
from dvcview.tracking.run_store import RunStore
from dvcview.tracking.sync_states import sync_states

MOVE_TIMEOUT = 60  # seconds that DVC may take to move the outs of an experiment
POLL = 0.3  # seconds
LONG_STAGE = 30_000  # milliseconds after which system metrics are logged as well


@dataclass
class _Stage:
    """An event log, and the run that it is uploaded to."""

    event_log: EventLogReader
    run_id: str | None = None
    monitor: Any = None  # logs system metrics of a long stage
    outcome: str | None = None  # once the run has ended: FINISHED, FAILED or KILLED


class Uploader:
    """Uploads one execution. Everything that it sends can be sent again without harm."""

    def __init__(self, run_store: RunStore, execution: Execution, folder: Path) -> None:
        self.run_store = run_store
        self.execution = execution
        self.folder = folder
        self.workspace = Path(execution.workspace)
        self.parent = run_store.open_parent(execution)
        self._stages: dict[Path, _Stage] = {}

    def step(self) -> None:
        """Upload what is new."""
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            stage = self._stages.setdefault(path, _Stage(EventLogReader(path)))
            if stage.outcome is None:
                self._upload(stage)
        self._finalize(self._pipeline(), ended=False)

    def stage_is_running(self) -> bool:
        """Whether a stage is running; orphaned stages count."""
        return any(s.outcome is None and not s.event_log.end for s in self._stages.values())

    def finish(self) -> None:
        """End every run once the execution has ended, build missing runs, log the summary."""
        pipeline = self._finalize_all()
        for stage in self._stages.values():
            if stage.outcome is None and stage.run_id:
                self._end_unfinished(stage, pipeline)
        report = sync_states(
            self.run_store,
            [pipeline],
            self.parent,
            pending_stages(self.run_store.root, self.folder),
        )
        if self.parent:
            self._log_summary(self.parent, pipeline, report.runs)
        shutil.rmtree(self.folder)
        keep_copy(self.run_store.root)
        if not read_executions(self.run_store.root):
            delete_old_copies(self.run_store.root)

    def _finalize_all(self) -> Pipeline:
        """Finalize the runs of the stages in dvc.lock; returns the pipeline that has it.

        DVC commits the outs of an experiment to git and deletes its folder file by file. A file
        that is no longer in the folder is in the commit once that is done.
        """
        deadline = time.monotonic() + MOVE_TIMEOUT
        while True:
            waiting = any(s.outcome is None and s.event_log.end for s in self._stages.values())
            elsewhere = self.workspace != self.run_store.root and self.workspace.exists()
            pipeline = self._pipeline()
            self._finalize(pipeline, ended=True)
            if not (waiting and elsewhere) or time.monotonic() > deadline:
                return pipeline
            time.sleep(POLL)

    def _upload(self, stage: _Stage) -> None:
        event_log = stage.event_log
        events = event_log.new_events()
        gone = event_log.writer_is_gone()
        if gone:  # the last events may have been written after the first reading
            events += event_log.new_events()
        if not event_log.begin:
            return
        if stage.run_id is None:
            stage.run_id = self.run_store.open_stage(event_log.name, event_log.begin, self.parent)
        epochs = [event for event in events if event["event"] == "epoch"]
        if epochs:
            self.run_store.log_epochs(stage.run_id, epochs)
        if events:
            uploaded = event_log.path.with_suffix(".uploaded")
            write_bytes(uploaded, str(event_log.events).encode())
        end = event_log.end
        if gone and not end:
            end = {
                "status": "KILLED", "error": "the process ended without a message", "time": now()
            }  # fmt: skip
        self._monitor(stage, ended=bool(end))
        if end and end["status"] != "FINISHED":
            self.run_store.close(stage.run_id, end)
            stage.outcome = end["status"]

    def _monitor(self, stage: _Stage, *, ended: bool) -> None:
        """Log the CPU, memory and GPU usage of a long stage."""
        if ended and stage.monitor is not None:
            stage.monitor.finish()
            stage.monitor = None
        is_long = now() - stage.event_log.begin["time"] > LONG_STAGE
        if is_long and not ended and stage.monitor is None:
            from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

            stage.monitor = SystemMetricsMonitor(stage.run_id, resume_logging=True)
            stage.monitor.start()

    def _finalize(self, pipeline: Pipeline, *, ended: bool) -> None:
        """Finalize the runs of successful stages from dvc.lock and their outs.

        DVC writes a stage into dvc.lock after the stage has ended and before the next one begins.
        """
        waiting = [s for s in self._stages.values() if s.outcome is None and s.event_log.end]
        begun = [s.event_log.begin["time"] for s in self._stages.values() if s.event_log.begin]
        recorded = [s for s in waiting if ended or max(begun) >= s.event_log.end["time"]]
        if not recorded:
            return
        states = pipeline.states()
        for stage in recorded:
            state = self._state_of(stage, states)
            if state and stage.run_id:
                at = stage.event_log.end["time"]
                with suppress(MissingFileError):  # a file of the state has been deleted
                    finalize_run(self.run_store, state, pipeline, run_id=stage.run_id, ended=at)
                    stage.outcome = "FINISHED"

    def _state_of(self, stage: _Stage, states: Mapping[str, StageState]) -> StageState | None:
        """The state with the parameters and outs of this run, in dvc.lock or a copy of it."""
        begin, outs = stage.event_log.begin, stage.event_log.end["outs"]
        copies = copies_since(self.run_store.root, stage.event_log.end["time"])
        for found in itertools.chain([states], map(read_states, copies)):
            for state in found.values():
                is_same = not outs or all(outs.get(path) == md5 for path, md5 in state.outs.items())
                if is_same and state.is_of(begin["stage"], begin["params"]):
                    return state
        return None

    def _pipeline(self) -> Pipeline:
        """The pipeline with this execution's dvc.lock: its folder, or the experiment's commit."""
        if not self.workspace.exists() and self.execution.experiment:
            for found in experiments(self.run_store.root):
                if found.name == self.execution.experiment:
                    return found
        return Pipeline(self.run_store.root, self.workspace, None, self.execution.experiment)

    def _end_unfinished(self, stage: _Stage, pipeline: Pipeline) -> None:
        """End the run of a successful stage whose outs are not in dvc.lock."""
        end = dict(stage.event_log.end)
        run_id = stage.run_id or ""
        if self.execution.manual:
            self._log_manual_outs(run_id, stage, pipeline)
            self.run_store.log(run_id, tags={"origin": "started by hand, not in dvc.lock"})
        else:
            end |= {"status": "FAILED", "error": "the stage succeeded, but DVC recorded no outs"}
        self.run_store.close(run_id, end)
        stage.outcome = end["status"]

    def _log_manual_outs(self, run_id: str, stage: _Stage, pipeline: Pipeline) -> None:
        """Log the present outs of a stage that was started without DVC."""
        begin, outs = stage.event_log.begin, stage.event_log.end["outs"]
        files = {path: md5 for path, md5 in outs.items() if not md5.endswith(".dir")}
        state = StageState(begin["stage"], begin["command"], {}, {}, files)
        with tempfile.TemporaryDirectory() as scratch, suppress(MissingFileError):
            shown = read_outs(state, pipeline, Path(scratch))
            log_outs(self.run_store, run_id, state, pipeline, shown)

    def _lock_before(self) -> str:
        """The dvc.lock before the execution."""
        root = self.run_store.root
        if self.workspace != root:
            return git(root, "show", f"{self.execution.baseline}:./dvc.lock")
        return copy_before(root, self.execution.created * 1000)

    def _log_summary(self, parent: str, pipeline: Pipeline, runs: dict[str, str]) -> None:
        """Log on the execution's run which stages ran, were restored, or failed."""
        before = read_states(self._lock_before())
        begun = [stage for stage in self._stages.values() if stage.event_log.begin]
        begun.sort(key=lambda stage: stage.event_log.begin["time"])
        observed = {stage.event_log.begin["stage"]: stage for stage in begun}
        summary: dict[str, list[str]] = {"ran": [], "restored": [], "failed": [], "unchanged": []}
        for name, stage in observed.items():
            summary["ran" if stage.outcome == "FINISHED" else "failed"].append(name)
        for name, state in pipeline.states().items():
            if name not in observed:
                same = name in before and before[name].digest == state.digest
                summary["unchanged" if same else "restored"].append(name)
        own_runs = {name: stage.run_id for name, stage in observed.items() if stage.run_id}
        self.run_store.log_summary(parent, summary, runs | own_runs)
        if self.execution.experiment:
            self.run_store.log(parent, tags={"dvc.experiment": self.execution.experiment})
        if parent != self.execution.parent_run:  # MLflow ends the run of `mlflow run` itself
            outcomes = {stage.outcome for stage in observed.values()}
            worst = next((s for s in ("FAILED", "KILLED") if s in outcomes), "FINISHED")
            self.run_store.client.set_terminated(parent, worst)
