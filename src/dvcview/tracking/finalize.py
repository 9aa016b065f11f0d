"""Finalizes a run, or builds a missing one, from dvc.lock and the files of the state."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from filelock import FileLock

from dvcview.project.lockfile import MissingFileError, Pipeline, StageState
from dvcview.tracking.displays import References
from dvcview.tracking.environment import git_state
from dvcview.tracking.event_log import now
from dvcview.tracking.outs import Shown, read_outs
from dvcview.tracking.run_names import variant_params
from dvcview.tracking.run_store import FINISHED, RunStore, valid_name
from dvcview.tracking.saved_view import PUBLISHED
from dvcview.tracking.tags import (
    BUILDING,
    REPEATS,
    STATE,
    git_tags,
    provenance,
    restoring,
    stage_tags,
)


def finalize_run(
    run_store: RunStore,
    state: StageState,
    pipeline: Pipeline,
    *,
    run_id: str | None = None,
    parent: str | None = None,
    ended: int | None = None,
) -> tuple[str, bool]:
    """Log everything that the files of a state contain, and mark the run as the state's run.

    `run_id` is the run that was logged while the stage ran; without it a run is built. If the state
    already has a canonical run, the logged run is marked as its repetition, and none is built.

    Returns:
        The id of the run, and whether anything was logged.

    Raises:
        MissingFileError: a file is not on this machine. The state has no finished run.
    """
    experiment = run_store.experiment_of(state.stage)
    with FileLock(run_store.root / ".dvcview" / "finalize.lock"):
        found = run_store.find(experiment, STATE, state.digest, FINISHED)
        canonical_run = _oldest(run_store, found) if found else None
        if canonical_run and run_id in (None, canonical_run):
            return canonical_run, False
        with tempfile.TemporaryDirectory() as scratch:
            shown = read_outs(state, pipeline, Path(scratch))
            built = run_id is None
            if run_id is None:
                run_id = _build(run_store, experiment, state, pipeline, parent)
            log_outs(run_store, run_id, state, pipeline, shown)
            callback = run_store.config.import_callback()
            if canonical_run is None and callback is not None:
                try:
                    callback(run_store.client, run_id, state, pipeline)
                except MissingFileError:
                    if built:
                        run_store.client.delete_run(run_id)
                    raise
        run_store.log(
            run_id, tags={REPEATS: canonical_run} if canonical_run else {STATE: state.digest}
        )
        run_store.client.set_terminated(run_id, "FINISHED", ended or now())
    return run_id, True


def _oldest(run_store: RunStore, found: list[Any]) -> str:
    """The canonical run: the oldest one, if two machines have built one for the same state."""
    first, *others = (str(run.info.run_id) for run in found)
    for other in others:
        run_store.client.delete_tag(other, STATE)
        run_store.log(other, tags={REPEATS: first})
    return first


def _build(
    run_store: RunStore, experiment: str, state: StageState, pipeline: Pipeline, parent: str | None
) -> str:
    """A run for a state that no recorder observed: it is from DVC's cache, a pull, or a branch."""
    display = run_store.displays[state.stage]
    name = run_store.run_name(state.stage, state.params)
    run_id = run_store.find_or_create(experiment, name, BUILDING, state.digest, now())
    tags = stage_tags(state.stage, display, state.cmd, parent)
    if pipeline.workspace is not None:
        tags |= git_tags(*git_state(pipeline.workspace))
    elif pipeline.revision is not None:
        tags |= git_tags(pipeline.revision, "")
    run_store.log(run_id, tags={**tags, "origin": "built from files"})
    return run_id


def log_outs(
    run_store: RunStore, run_id: str, state: StageState, pipeline: Pipeline, shown: Shown
) -> None:
    """Log the outs of a state, except points that the run already has."""
    references = run_store.displays[state.stage].references
    points = [*_reference_points(references), *_final_points(shown)]
    for step, row in shown.curves:
        points += run_store.curve_points(row, step, now())
    if points:
        logged = run_store.logged_steps(run_id)
        points = [point for point in points if point.step not in logged.get(point.key, ())]
    tags = {**shown.texts, **restoring(state, pipeline)}
    params = state.params | variant_params(state.stage, state.params)
    run_store.log(run_id, metrics=points, params=params, tags=tags)
    run_store.client.log_dict(run_id, provenance(state), "provenance.json")
    for path, file in sorted(shown.files.items()):
        run_store.log_file(run_id, file, path)


def _reference_points(references: References) -> list[Any]:
    """The published values, as metrics of their own."""
    from mlflow.entities import Metric

    return [
        Metric(valid_name(f"{PUBLISHED}{metric}"), float(value), now(), int(step))
        for metric, values in references.items()
        for step, value in values.items()
    ]


def _final_points(shown: Shown) -> list[Any]:
    """The final values; `final/NAME` if the curve of a metric ends in another value."""
    from mlflow.entities import Metric

    last: dict[str, float] = {}
    for _, row in sorted(shown.curves, key=lambda point: point[0]):
        last |= row
    return [
        Metric(valid_name(f"final/{key}" if key in last else key), value, now(), 0)
        for key, value in shown.metrics.items()
        if key not in last or last[key] != value
    ]


def mark_current(run_store: RunStore, run: Any, state: StageState, pipeline: Pipeline) -> None:
    """Log the commit of the workspace's state once there is one, and move the model's alias."""
    if "dvc.commit" not in run.data.tags:
        new = restoring(state, pipeline)
        if "dvc.commit" in new:
            run_store.log(run.info.run_id, tags=new)
    run_store.point_current(run.info.run_id)
