"""From the journals of one execution to its runs in MLflow."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dvcview.files.artifacts import write_bytes
from dvcview.project.lockfile import (
    MissingFileError,
    Pipeline,
    StageState,
    experiments,
    read_states,
)
from dvcview.tracking.event_log import SUFFIX, JournalReader, now
from dvcview.tracking.execution import (
    LOCK_BEFORE,
    Execution,
    forget_locks,
    is_another_executions,
    locks_after,
    remember_lock,
)
from dvcview.tracking.finalize import complete, fill
from dvcview.tracking.run_store import View
from dvcview.tracking.states import sync_states

MOVING = 60  # seconds that DVC may take to put away what an experiment has made
POLL = 0.3  # seconds between two looks at what may have changed
LONG = 30_000  # milliseconds from which on the machine is watched, too


@dataclass
class _Stage:
    """A journal, and the run that it is delivered to."""

    journal: JournalReader
    run_id: str | None = None
    monitor: Any = None  # of the machine, once the stage is a long one
    outcome: str | None = None  # once the run has ended: FINISHED, FAILED or KILLED


class Delivery:
    """One execution on its way into MLflow. Whatever it sends, it can send again unharmed."""

    def __init__(self, view: View, execution: Execution, folder: Path) -> None:
        self.view = view
        self.execution = execution
        self.folder = folder
        self.workspace = Path(execution.workspace)
        self.parent = view.open_parent(execution)
        self._stages: dict[Path, _Stage] = {}

    def step(self) -> None:
        """Deliver what is new."""
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            stage = self._stages.setdefault(path, _Stage(JournalReader(path)))
            if stage.outcome is None:
                self._deliver(stage)
        self._complete(self._pipeline(), ended=False)

    def stage_is_running(self) -> bool:
        """Whether a stage lives on, also after its dvc was killed."""
        return any(s.outcome is None and not s.journal.end for s in self._stages.values())

    def finish(self) -> None:
        """The execution has ended: end every run, build those of restored stages, sum up.

        A stage that another execution has not delivered yet is left to that execution. Built here,
        it would get a second run when that one is delivered.
        """
        pipeline = self._completed()
        for stage in self._stages.values():
            if stage.outcome is None and stage.run_id:
                self._end_incomplete(stage, pipeline)
        report = sync_states(
            self.view,
            [pipeline],
            lambda: self.parent,
            partial(is_another_executions, self.view.root, self.folder),
        )
        if self.parent:
            self._sum_up(self.parent, pipeline, report.runs)
        remember_lock(self.view.root)
        shutil.rmtree(self.folder)
        forget_locks(self.view.root)

    def _completed(self) -> Pipeline:
        """Complete the runs of what dvc.lock has; give the pipeline that has it.

        What an experiment has made in a folder of its own, DVC brings into git, and then deletes
        that folder file by file: what is not found in the one is in the other when that is over.
        """
        deadline = time.monotonic() + MOVING
        while True:
            waiting = any(s.outcome is None and s.journal.end for s in self._stages.values())
            elsewhere = self.workspace != self.view.root and self.workspace.exists()
            pipeline = self._pipeline()
            self._complete(pipeline, ended=True)
            if not (waiting and elsewhere) or time.monotonic() > deadline:
                return pipeline
            time.sleep(POLL)

    def _deliver(self, stage: _Stage) -> None:
        journal = stage.journal
        events = journal.new_events()
        gone = journal.writer_is_gone()
        if gone:  # its last words may have come after the first look
            events += journal.new_events()
        if not journal.begin:
            return
        if stage.run_id is None:
            stage.run_id = self.view.open_stage(journal.name, journal.begin, self.parent)
        epochs = [event for event in events if event["event"] == "epoch"]
        if epochs:
            self.view.log_epochs(stage.run_id, epochs)
        if events:
            delivered = journal.path.with_suffix(".delivered")
            write_bytes(delivered, str(journal.events).encode())
        end = journal.end
        if gone and not end:
            end = {"status": "KILLED", "error": "the process is gone without a word", "time": now()}
        self._monitor(stage, ended=bool(end))
        if end and end["status"] != "FINISHED":
            self.view.close(stage.run_id, end)
            stage.outcome = end["status"]

    def _monitor(self, stage: _Stage, *, ended: bool) -> None:
        """Watch CPU, memory and GPU beside a stage that takes long."""
        if ended and stage.monitor is not None:
            stage.monitor.finish()
            stage.monitor = None
        long = now() - stage.journal.begin["time"] > LONG
        if long and not ended and stage.monitor is None:
            from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

            stage.monitor = SystemMetricsMonitor(stage.run_id, resume_logging=True)
            stage.monitor.start()

    def _complete(self, pipeline: Pipeline, *, ended: bool) -> None:
        """Complete the runs of stages that ended well, from dvc.lock and their outs.

        DVC writes a stage into dvc.lock after the stage has ended and before the next one begins.
        """
        waiting = [s for s in self._stages.values() if s.outcome is None and s.journal.end]
        begun = [s.journal.begin["time"] for s in self._stages.values() if s.journal.begin]
        written = [s for s in waiting if ended or max(begun) >= s.journal.end["time"]]
        if not written:
            return
        states = pipeline.states()
        for stage in written:
            state = self._state_of(stage, states)
            if state and stage.run_id:
                at = stage.journal.end["time"]
                with suppress(MissingFileError):  # somebody has deleted it already
                    complete(self.view, state, pipeline, run_id=stage.run_id, ended=at)
                    stage.outcome = "FINISHED"

    def _state_of(self, stage: _Stage, states: Mapping[str, StageState]) -> StageState | None:
        """What dvc.lock says, or has said, of this very run: its parameters, and its outs."""
        name, given = stage.journal.begin["stage"], stage.journal.begin["params"]
        left = stage.journal.end["outs"]
        kept = locks_after(self.view.root, stage.journal.end["time"])
        for found in itertools.chain([states], map(read_states, kept)):
            state = found.get(name)
            if (
                state is not None
                and all(left.get(path) == md5 for path, md5 in state.outs.items())
                and all(given.get(key, value) == value for key, value in state.params.items())
            ):
                return state
        return None

    def _pipeline(self) -> Pipeline:
        """Where this execution's dvc.lock is: in its folder, or in the commit of its experiment."""
        if not self.workspace.exists() and self.execution.experiment:
            for found in experiments(self.view.root):
                if found.name == self.execution.experiment:
                    return found
        return Pipeline(self.view.root, self.workspace, None, self.execution.experiment)

    def _end_incomplete(self, stage: _Stage, pipeline: Pipeline) -> None:
        """A stage that ended well, and whose outs dvc.lock does not have."""
        end = dict(stage.journal.end)
        run_id = stage.run_id or ""
        if self.execution.by_hand:
            self._fill_by_hand(run_id, stage, pipeline)
            self.view.log(run_id, tags={"origin": "started by hand, not in dvc.lock"})
        else:
            end |= {"status": "FAILED", "error": "the stage ended well, but DVC took no such outs"}
        self.view.close(run_id, end)
        stage.outcome = end["status"]

    def _fill_by_hand(self, run_id: str, stage: _Stage, pipeline: Pipeline) -> None:
        """The run of a stage that DVC does not know of gets the files that lie there now."""
        begin, outs = stage.journal.begin, stage.journal.end["outs"]
        files = {path: md5 for path, md5 in outs.items() if not md5.endswith(".dir")}
        state = StageState(begin["stage"], begin["command"], {}, {}, files)
        fill(self.view, run_id, state, pipeline, self.workspace / state.folder)

    def _sum_up(self, parent: str, pipeline: Pipeline, runs: dict[str, str]) -> None:
        """Say on the execution's run what ran, what was restored, what failed."""
        before = read_states((self.folder / LOCK_BEFORE).read_text(encoding="utf-8"))
        begun = [stage for stage in self._stages.values() if stage.journal.begin]
        begun.sort(key=lambda stage: stage.journal.begin["time"])
        watched = {stage.journal.begin["stage"]: stage for stage in begun}
        told: dict[str, list[str]] = {"ran": [], "restored": [], "failed": [], "unchanged": []}
        for name, stage in watched.items():
            told["ran" if stage.outcome == "FINISHED" else "failed"].append(name)
        for name, state in pipeline.states().items():
            if name not in watched:
                same = name in before and before[name].digest == state.digest
                told["unchanged" if same else "restored"].append(name)
        theirs = {name: stage.run_id for name, stage in watched.items() if stage.run_id}
        self.view.sum_up(parent, told, runs | theirs)
        if self.execution.experiment:
            self.view.log(parent, tags={"dvc.experiment": self.execution.experiment})
        if not self.execution.parent_run:  # MLflow ends its own
            outcomes = {stage.outcome for stage in watched.values()}
            worst = next((s for s in ("FAILED", "KILLED") if s in outcomes), "FINISHED")
            self.view.client.set_terminated(parent, worst)
