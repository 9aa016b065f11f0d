"""Finalizes a run, or builds a missing one, from dvc.lock and the files of the state."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from dvcview.files.artifacts import read_json
from dvcview.project.config import read_config
from dvcview.project.git import is_tracked
from dvcview.project.lockfile import MissingFileError, Pipeline, StageState
from dvcview.tracking.displays import display_of
from dvcview.tracking.environment import git_state
from dvcview.tracking.event_log import now
from dvcview.tracking.run_store import RunStore, curve_points, read_curve, reference_points
from dvcview.tracking.tags import (
    BUILDING,
    REPEATS,
    STATE,
    git_tags,
    provenance,
    restoring,
    stage_tags,
)

# The files that MLflow shows; arrays and weights stay with DVC.
SHOWN = {".png", ".csv", ".json", ".html"}
FINISHED = " and attributes.status = 'FINISHED'"


def finalize_run(
    run_store: RunStore,
    state: StageState,
    pipeline: Pipeline,
    *,
    run_id: str | None = None,
    parent: Callable[[], str | None] = lambda: None,
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
            folder = Path(scratch)
            _copy_files(state, pipeline, folder)
            built = None
            if run_id is None:
                run_id = built = _build(run_store, experiment, state, pipeline, parent())
            log_outs(run_store, run_id, state, pipeline, folder)
            log_model = read_config(run_store.root).import_log_model()
            if canonical_run is None and log_model is not None:
                try:
                    log_model(run_store.client, run_id, state, pipeline)
                except MissingFileError:
                    if built:
                        run_store.client.delete_run(built)
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


def _copy_files(state: StageState, pipeline: Pipeline, folder: Path) -> None:
    """Copy the files of a state that are shown; all or none."""
    for path, md5 in pipeline.files(state).items():
        if Path(path).suffix in SHOWN:
            found = pipeline.find(path, md5)
            if found is None:
                raise MissingFileError(path)
            base = state.folder.parent if path == state.folder.as_posix() else state.folder
            copy = folder / Path(path).relative_to(base)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, copy)


def _build(
    run_store: RunStore, experiment: str, state: StageState, pipeline: Pipeline, parent: str | None
) -> str:
    """A run for a state that no recorder observed: it is from DVC's cache, a pull, or a branch."""
    display = display_of(run_store.displays, state.stage)
    run_id = run_store.find_or_create(experiment, display.run_name, BUILDING, state.digest, now())
    tags = stage_tags(state.stage, display, state.cmd, parent)
    if pipeline.workspace is not None:
        tags |= git_tags(*git_state(pipeline.workspace))
    elif pipeline.revision is not None:
        tags |= git_tags(pipeline.revision, "")
    run_store.log(run_id, tags={**tags, "origin": "built from files"})
    return run_id


def log_outs(
    run_store: RunStore, run_id: str, state: StageState, pipeline: Pipeline, folder: Path
) -> None:
    """Log the content of the files in `folder`, except points that the run already has."""
    display = display_of(run_store.displays, state.stage)
    points = reference_points(display.references)
    curve = folder / "curves.csv"
    if curve.exists():
        logged = run_store.logged_steps(run_id)
        for row in read_curve(curve):
            every = curve_points(row, int(row.pop("epoch")), now())
            points += [point for point in every if point.step not in logged.get(point.key, ())]
    tags = provenance(state) | restoring(state, pipeline)
    if (folder / "metrics.json").exists():
        final = read_json(folder / "metrics.json")
        points += _single("parameters", final["parameters"])
        tags["data"] = final["data"]
    run_store.log(run_id, metrics=points, params=state.params, tags=tags)
    _log_dataset(run_store, run_id, state, pipeline)
    for file in sorted(folder.rglob("*")):
        if file.suffix in SHOWN and file.is_file():
            run_store.log_file(run_id, file, file.relative_to(folder).as_posix())


def _single(name: str, value: float) -> list[Any]:
    from mlflow.entities import Metric

    return [Metric(name, float(value), 0, 0)]


def _log_dataset(run_store: RunStore, run_id: str, state: StageState, pipeline: Pipeline) -> None:
    """Log the images of a stage as an MLflow dataset: name, digest, source."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.entities import DatasetInput, InputTag

    for folder, md5 in {**state.outs, **state.deps}.items():
        if not md5.endswith(".dir") or is_tracked(pipeline.root, folder):  # a file, or code
            continue
        file = pipeline.find_within(folder, md5, "summary.json")
        if file is None:
            continue
        summary = read_json(file)
        source = CodeDatasetSource(tags={"source": summary["name"]})
        dataset = MetaDataset(source, name=summary["name"], digest=summary["digest"])
        tags = [InputTag("mlflow.data.context", "training and test")]
        if summary["stand_in_for"]:
            tags.append(InputTag("stand-in for", summary["stand_in_for"]))
            run_store.log(run_id, tags={"stand-in for": summary["stand_in_for"]})
        run_store.client.log_inputs(run_id, [DatasetInput(dataset._to_mlflow_entity(), tags)])
        return


def mark_current(run_store: RunStore, run: Any, state: StageState, pipeline: Pipeline) -> None:
    """Log the commit of the workspace's state once there is one, and move the model's alias."""
    if "dvc.commit" not in run.data.tags:
        new = restoring(state, pipeline)
        if "dvc.commit" in new:
            run_store.log(run.info.run_id, tags=new)
    run_store.point_current(run.info.run_id)
