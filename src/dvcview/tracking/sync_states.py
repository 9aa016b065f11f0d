"""Builds the missing runs, so that every state of a pipeline has one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dvcview.console import log
from dvcview.errors import UserError
from dvcview.project.lockfile import MissingFileError, Pipeline, StageState
from dvcview.tracking.finalize import finalize_run, mark_current
from dvcview.tracking.pictures import Pictures
from dvcview.tracking.run_names import label_runs
from dvcview.tracking.run_store import RunStore


@dataclass
class Report:
    """The result of a sync."""

    built: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # stages whose files are not on this machine
    is_complete: bool = True  # whether nothing is missing, of experiments and pictures either
    runs: dict[str, str] = field(default_factory=dict)  # run ids by stage


def sync_states(
    run_store: RunStore,
    pipelines: Iterable[Pipeline],
    parent: str | None,
    pending: Sequence[dict[str, Any]],
) -> Report:
    """Build the missing runs, log pictures that the runs do not have yet, and label all runs.

    Args:
        run_store: the MLflow store.
        pipelines: the workspace and the experiments.
        parent: the parent run of the runs that are built.
        pending: the `begin` events of stages that other executions have not uploaded yet. Their
            states are left out, because the upload would create a second run for each.
    """
    report = Report()
    known: set[str] = set()
    current: set[str] | None = None
    source = run_store.config.pictures
    for pipeline in pipelines:
        is_workspace = pipeline.workspace is not None
        if pipeline.workspace == run_store.root:
            current = set()
        try:
            states = pipeline.states()
        except UserError as error:
            if is_workspace:
                raise
            log(f"the experiment {pipeline.name} is not shown: {error}")
            continue
        pictures = Pictures(pipeline, states, source)
        for stage, state in states.items():
            if state.digest in known or _is_pending(state, pending):
                continue
            known.add(state.digest)
            try:
                run_id, built = finalize_run(run_store, state, pipeline, parent=parent)
            except MissingFileError:
                report.is_complete = False
                if is_workspace:  # the files of an experiment may well be on another machine
                    report.missing.append(stage)
                continue
            report.runs.setdefault(stage, run_id)
            if built:
                report.built.append(stage)
            run = run_store.client.get_run(run_id)
            report.is_complete &= pictures.log(run_store, run, state)
            if is_workspace:
                mark_current(run_store, run, state, pipeline)
            if pipeline.workspace == run_store.root and current is not None:
                current.add(run_id)
    label_runs(run_store, current)
    return report


def _is_pending(state: StageState, pending: Sequence[dict[str, Any]]) -> bool:
    return any(state.is_of(begin["stage"], begin["params"]) for begin in pending)
