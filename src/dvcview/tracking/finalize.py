"""A run completed, or built from nothing, out of dvc.lock and the files of its state."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from dlvc.logged_model.log import MODELS, WEIGHTS, log_classifier, point_current
from dvcview.files.artifacts import read_json
from dvcview.files.hashes import md5_of_bytes
from dvcview.project.lockfile import MissingFileError, Pipeline, StageState
from dvcview.tracking.environment import git_state
from dvcview.tracking.event_log import now
from dvcview.tracking.experiments import SCALED_LOSS, page_of
from dvcview.tracking.run_store import (
    BUILDING,
    REPEATS,
    STATE,
    View,
    curve_points,
    figure_points,
    git_tags,
    read_curve,
    stage_tags,
)

SHOWN = {
    ".png",
    ".csv",
    ".json",
    ".html",
}  # what a person looks at; arrays and weights stay with DVC
FINISHED = " and attributes.status = 'FINISHED'"


def complete(
    view: View,
    state: StageState,
    pipeline: Pipeline,
    *,
    run_id: str | None = None,
    parent: Callable[[], str | None] = lambda: None,
    ended: int | None = None,
) -> tuple[str, bool]:
    """Give the run of a state all that its files say, and let it bear the state.

    `run_id` is a run that watched the stage; without it one is built. When another run bears the
    state already, a watched run becomes its repetition, and nothing is built. Returns the run's id,
    and whether something was missing.

    Raises `MissingFileError` when a file is nowhere to be had; nothing has been built then.
    """
    experiment = view.experiment_of(state.stage)
    with FileLock(view.root / ".dlvc" / "completion.lock"):
        bearers = view.find(experiment, STATE, state.digest, FINISHED)
        bearer = _only(view, bearers) if bearers else None
        if bearer and run_id in (None, bearer):
            return bearer, False
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            _collect(state, pipeline, folder)
            if run_id is None:
                run_id = _build(view, experiment, state, pipeline, parent())
            fill(view, run_id, state, pipeline, folder)
            if bearer is None:
                log_classifier(view.client, run_id, state, folder, pipeline)
        view.log(run_id, tags={REPEATS: bearer} if bearer else {STATE: state.digest})
        view.client.set_terminated(run_id, "FINISHED", ended or now())
    return run_id, True


def _only(view: View, bearers: list[Any]) -> str:
    """Two machines can build the same at once: then the oldest run bears the state."""
    first, *others = (str(run.info.run_id) for run in bearers)
    for other in others:
        view.client.delete_tag(other, STATE)
        view.log(other, tags={REPEATS: first})
    return first


def _collect(state: StageState, pipeline: Pipeline, folder: Path) -> None:
    """Copy the files that are shown, and the weights, of a state; all or none."""
    for path, md5 in pipeline.files(state).items():
        name = Path(path).name
        if Path(path).suffix in SHOWN or name == WEIGHTS:
            found = pipeline.find(path, md5)
            if found is None:
                raise MissingFileError(path)
            shutil.copyfile(found, folder / name)


def _build(
    view: View, experiment: str, state: StageState, pipeline: Pipeline, parent: str | None
) -> str:
    """A run for a state that nobody watched: brought by DVC's cache, a pull, another branch."""
    page = page_of(view.pages, state.stage)
    run_id = view.find_or_create(experiment, page.run_name, BUILDING, state.digest, now())
    tags = stage_tags(state.stage, page, state.cmd, parent)
    if pipeline.workspace is not None:
        tags |= git_tags(*git_state(pipeline.workspace))
    elif pipeline.revision is not None:
        tags |= git_tags(pipeline.revision, "")
    view.log(run_id, tags={**tags, "origin": "built from files"})
    return run_id


def fill(view: View, run_id: str, state: StageState, pipeline: Pipeline, folder: Path) -> None:
    """Log what the files in `folder` say; points that are there already are not written again."""
    page = page_of(view.pages, state.stage)
    points = figure_points(page.figures)
    curve = folder / "curves.csv"
    if curve.exists():
        known = {p.step for p in view.client.get_metric_history(run_id, "test_accuracy")}
        scaled = {p.step for p in view.client.get_metric_history(run_id, SCALED_LOSS)}
        for row in read_curve(curve):
            epoch = int(row.pop("epoch"))
            every = curve_points(row, epoch, now())
            points += [
                point
                for point in every
                if epoch not in (scaled if point.key == SCALED_LOSS else known)
            ]
    metrics = folder / "metrics.json"
    tags = provenance(state) | restoring(state, pipeline)
    if metrics.exists():
        final = read_json(metrics)
        points += _single("parameters", final["parameters"])
        tags["data"] = final["data"]
    view.log(run_id, metrics=points, params=state.params, tags=tags)
    _log_dataset(view, run_id, state, pipeline)
    for file in sorted(folder.iterdir()):
        if file.suffix in SHOWN:
            view.client.log_artifact(run_id, str(file))


def _single(name: str, value: float) -> list[Any]:
    from mlflow.entities import Metric

    return [Metric(name, float(value), 0, 0)]


def provenance(state: StageState) -> dict[str, str]:
    """The md5 of each dep, section and out, each under its name, and those of the outs together:
    from any of these one search finds the run."""
    tags = {f"dvc.dep.{path}": md5 for path, md5 in state.deps.items()}
    for name, section in state.sections.items():
        tags[f"dvc.params.{name}"] = md5_of_bytes(json.dumps(section, sort_keys=True).encode())
    tags |= {f"dvc.out.{path}": md5 for path, md5 in state.outs.items()}
    return tags | {"dvc.outs": " ".join(state.outs.values())}


def restoring(state: StageState, pipeline: Pipeline) -> dict[str, str]:
    """The commit whose dvc.lock has the state, and the `dvc` command that brings its files."""
    tags = {"dvc.experiment": pipeline.name} if pipeline.name else {}
    commit = pipeline.commit_of(state)
    if commit is None:
        return tags | {"dvc.restore": f"dvc checkout {state.stage}"}
    return tags | {"dvc.commit": commit, "dvc.restore": f"dvc get . {state.folder} --rev {commit}"}


def _log_dataset(view: View, run_id: str, state: StageState, pipeline: Pipeline) -> None:
    """The images a stage works on as MLflow's kind of data set: name, digest, source."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.entities import DatasetInput, InputTag

    for folder, md5 in {**state.outs, **state.deps}.items():
        file = pipeline.find_within(folder, md5, "summary.json") if md5.endswith(".dir") else None
        if file is None:
            continue
        summary = read_json(file)
        source = CodeDatasetSource(tags={"source": summary["name"]})
        dataset = MetaDataset(source, name=summary["name"], digest=summary["digest"])
        tags = [InputTag("mlflow.data.context", "training and test")]
        if summary["stand_in_for"]:
            tags.append(InputTag("stand-in for", summary["stand_in_for"]))
            view.log(run_id, tags={"stand-in for": summary["stand_in_for"]})
        view.client.log_inputs(run_id, [DatasetInput(dataset._to_mlflow_entity(), tags)])
        return


def mark_current(view: View, run_id: str, state: StageState, pipeline: Pipeline) -> None:
    """What only the state of the workspace has: the commit, once there is one, and the alias."""
    tags = view.client.get_run(run_id).data.tags
    if "dvc.commit" not in tags:
        new = restoring(state, pipeline)
        if "dvc.commit" in new:
            view.log(run_id, tags=new)
    if state.stage.partition("@")[0] in MODELS:
        point_current(view.client, run_id, state)
