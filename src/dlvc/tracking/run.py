"""One stage's run in MLflow: watched while it trains, completed from its files at its end.

A view, never a condition: when MLflow fails, one line says so and the stage goes on.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlvc.tracking.execution import parent_run_id
from dlvc.tracking.store import connect, experiment_id, project_root, store_lock

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from dlvc.learning.loop import Epoch

# MLflow's own variables, which `mlflow run` leaves in the environment of every stage below it:
# each would resume that one run, and the second would fail to change its parameters.
INHERITED = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME")

EXPERIMENTS = {
    "Data": "The images of the course, as arrays: counts, means, contact sheets.",
    "Lecture 03 texture features": "Nine texture features an image: LBP, GLCM, Gabor.",
    "Lecture 05 perceptron": "A linear layer on the nine features, one update an epoch.",
    "Lecture 24 update rules": "One MLP, updated per epoch, per batch and per sample.",
    "Lecture 25 optimizers": "One MLP, trained by SGD, momentum and Adam from the same start.",
    "Lecture 29 LeNet": "LeNet learns digits; its kernels before and after.",
    "Lecture 40 DenseNet": "DenseNet-121 learns photographs; its kernels before and after.",
}


class StageRun:
    """What a stage says to MLflow. After the first failure it says nothing more."""

    def __init__(self) -> None:
        self._failed = False

    def watch(self, epochs: Iterable[Epoch]) -> list[Epoch]:
        """The records as a list; each is printed, and sent in one batch, as it comes."""
        curve = []
        for record in epochs:
            print(record, flush=True)
            curve.append(record)
            self.attempt(partial(_log_epoch, record))
        return curve

    def log_results(self, folder: Path) -> None:
        """Send every file of the stage but its arrays, and the figures of its metrics.json."""
        self.attempt(lambda: _log_results(folder))

    def log_model(self, model: nn.Module, images: NDArray[np.generic]) -> None:
        """Send the model as a torch.export program (no pickle), with signature and example."""
        self.attempt(lambda: _log_model(model, images))

    def attempt(self, call: Callable[[], object]) -> None:
        """Do `call` unless an earlier one failed; whatever it raises costs a line, not a run."""
        if self._failed:
            return
        try:
            call()
        except Exception as error:  # any failure of a view is survived
            self._failed = True
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            print(
                f"MLflow is not available, this run goes on without it: {reason}", file=sys.stderr
            )


@contextmanager
def stage_run(
    experiment: str, name: str, params: Mapping[str, Any], data: Mapping[str, Any]
) -> Iterator[StageRun]:
    """The MLflow run of one stage, under the run of its execution.

    `params` are the stage's parameters with flat names as in params.yaml; `data` the summary of
    the images it works on. The run ends FINISHED, or FAILED when the block raises.
    """
    run = StageRun()
    run.attempt(lambda: _start(experiment, name, params, data))
    try:
        yield run
    except BaseException:
        run.attempt(lambda: _end("FAILED"))
        raise
    run.attempt(lambda: _end("FINISHED"))


def _start(experiment: str, name: str, params: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    for variable in INHERITED:
        os.environ.pop(variable, None)
    root = project_root()
    connect(root)
    with store_lock(root):  # the first call below creates the database
        parent = parent_run_id(root)
        experiment = experiment_id(root, experiment, EXPERIMENTS[experiment])
    import mlflow

    tags = {"dlvc.stage": os.environ.get("DVC_STAGE", name)}
    if parent:
        tags["mlflow.parentRunId"] = parent
    if data.get("stand_in_for"):
        tags["dlvc.stand_in_for"] = data["stand_in_for"]
    mlflow.start_run(experiment_id=experiment, run_name=name, tags=tags)
    mlflow.log_params({**params, "data": data["name"], "data_digest": data["digest"]})
    mlflow.log_input(_dataset(data), context="training and test")


def _dataset(data: Mapping[str, Any]) -> Any:
    """The images as MLflow's own kind of data set: name, digest, source."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    source = CodeDatasetSource(tags={"source": data["name"]})
    return MetaDataset(source, name=data["name"], digest=data["digest"])


def _log_epoch(record: Epoch) -> None:
    import mlflow

    values = {
        "train_loss": record.train_loss,
        "train_accuracy": record.train_accuracy,
        "test_loss": record.test.loss,
        "test_accuracy": record.test.accuracy,
        "updates": record.updates,
    }
    mlflow.log_metrics(values, step=record.epoch)


def _log_results(folder: Path) -> None:
    import mlflow

    for file in sorted(folder.iterdir()):
        if file.suffix in {".png", ".csv", ".json"}:
            mlflow.log_artifact(str(file))


def _log_model(model: nn.Module, images: NDArray[np.generic]) -> None:
    from importlib.metadata import version

    import mlflow.pytorch
    import numpy as np

    mlflow.pytorch.log_model(
        model.cpu().eval(),
        name="model",
        # A copy: memory maps are read-only. Two images: the exported program takes any number then.
        input_example=np.array(images[:2]),
        serialization_format="pt2",
        # Left to itself, MLflow finds these out by loading the model in another process.
        pip_requirements=[f"{package}=={version(package)}" for package in ("torch", "mlflow")],
    )


def _end(status: str) -> None:
    import mlflow

    mlflow.end_run(status)
