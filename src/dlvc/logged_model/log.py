"""Logs the data set of a run, and its weights as a model: loadable, servable, registered."""

from __future__ import annotations

import io
import shutil
import tempfile
import warnings
from contextlib import redirect_stderr
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlvc.arrays.array_files import read_npy, read_pickle
from dvcview.files.artifacts import read_json, write_json
from dvcview.project.lockfile import MissingFileError, Pipeline, StageState

if TYPE_CHECKING:
    from mlflow import MlflowClient

DATA = "data/"  # begins the paths of the images and features
EXERCISE = "claims@"  # begins the names of the stages of exercises
STAND_IN = "stand-in for"  # tag of runs with bundled images
WEIGHTS = "weights.safetensors"
MODELS = {
    "perceptron": "perceptron",
    "update_rules": "mlp",
    "optimizers": "mlp",
    "lenet": "lenet",
    "densenet": "densenet",
}
REQUIREMENTS = ("mlflow", "numpy", "safetensors", "torch", "torchvision")
MODELS_FOLDER = Path(__file__).parents[1] / "models"


def registered_name(stage: str) -> str:
    """The name of a stage's model; `@` would mean an alias in a `models:/` address.

    >>> registered_name("optimizers@adam")
    'optimizers-adam'
    """
    return stage.replace("@", "-")


def log_extras(client: MlflowClient, run_id: str, state: StageState, pipeline: Pipeline) -> None:
    """Log the data set and the model of a finished run; `callback` of dvcview.yaml names this.

    The run of an exercise that is turned off gets the label `off`.

    Raises:
        MissingFileError: the weights are not on this machine.
    """
    exercise = state.stage.removeprefix(EXERCISE)
    if exercise != state.stage and state.params.get(f"claims.{exercise}.epochs") == 0:
        client.set_tag(run_id, "label", "off")
    log_data_set(client, run_id, state, pipeline)
    log_model(client, run_id, state, pipeline)


def log_data_set(client: MlflowClient, run_id: str, state: StageState, pipeline: Pipeline) -> None:
    """Log the images of a stage as an MLflow data set: name, digest, source."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.entities import DatasetInput, InputTag

    summary = _summary(state, pipeline)
    if summary is None:
        return
    source = CodeDatasetSource(tags={"source": summary["name"]})
    dataset = MetaDataset(source, name=summary["name"], digest=summary["digest"])
    tags = [InputTag("mlflow.data.context", "training and test")]
    if summary["stand_in_for"]:
        tags.append(InputTag(STAND_IN, summary["stand_in_for"]))
        client.set_tag(run_id, STAND_IN, summary["stand_in_for"])
    client.log_inputs(run_id, [DatasetInput(dataset._to_mlflow_entity(), tags)])


def _summary(state: StageState, pipeline: Pipeline) -> Any:
    """The summary.json of the images of a stage; None if it has no images on this machine."""
    for folder, md5 in {**state.outs, **state.deps}.items():
        if folder.startswith(DATA) and (file := pipeline.find_within(folder, md5, "summary.json")):
            return read_json(file)
    return None


def log_model(client: MlflowClient, run_id: str, state: StageState, pipeline: Pipeline) -> None:
    """Log and register the model of a finished training; repeating the call changes nothing.

    Two test images serve as the input example.

    Raises:
        MissingFileError: the weights are not on this machine.
    """
    kind = MODELS.get(state.stage.partition("@")[0])
    path = next((path for path in state.outs if path.endswith(WEIGHTS)), None)
    if kind is None or path is None:
        return
    weights = pipeline.find(path, state.outs[path])
    if weights is None:
        raise MissingFileError(path)
    model = _logged(client, run_id) or _log(run_id, kind, state, pipeline, weights)
    _register(client, run_id, state, *model)


def _logged(client: MlflowClient, run_id: str) -> tuple[str, str] | None:
    """The URI and id of the model that a run already has."""
    outputs = client.get_run(run_id).outputs
    for output in outputs.model_outputs if outputs else ():
        model = client.get_logged_model(output.model_id)
        if str(model.status) in {"READY", "LoggedModelStatus.READY"}:
            return str(model.model_uri), str(model.model_id)
    return None


class _Pyfunc:
    """MLflow's `pyfunc` flavor, without a test of the input example.

    The test loads the model, and torch with it, which takes longer than everything else here.
    """

    @staticmethod
    def save_model(path: str, *, validate_serving_input: bool, **settings: Any) -> None:
        """Save the model, without the option that `Model.log` passes and `pyfunc` does not know."""
        import mlflow

        assert not validate_serving_input  # noqa: S101  # `Model.log` has read it
        mlflow.pyfunc.save_model(path, **settings)


def _log(
    run_id: str, kind: str, state: StageState, pipeline: Pipeline, weights: Path
) -> tuple[str, str]:
    import mlflow
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    example, summary, signature = _example(state, pipeline), _summary(state, pipeline), None
    if example is not None and summary is not None:
        one_image = (-1, *example.shape[1:])
        signature = ModelSignature(
            Schema([TensorSpec(example.dtype, one_image)]),
            Schema([TensorSpec(np.dtype("float32"), (-1, len(summary["classes"])))]),
        )
    config: dict[str, Any] = {"model": kind}
    if kind == "densenet":
        config["image_size"] = state.params["densenet.image_size"]
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow asks for type hints of its own kind
        code = Path(scratch) / "dlvc"
        shutil.copytree(
            MODELS_FOLDER, code / "models", ignore=shutil.ignore_patterns("__pycache__")
        )
        (code / "__init__.py").touch()
        named = shutil.copyfile(weights, Path(scratch) / WEIGHTS)
        with mlflow.start_run(run_id=run_id), redirect_stderr(io.StringIO()):  # progress bars
            write_json(Path(scratch) / "config.json", config)
            info = Model.log(
                artifact_path=None,
                name="model",
                flavor=_Pyfunc,
                validate_serving_input=False,
                python_model=str(Path(__file__).with_name("classifier.py")),
                artifacts={"weights": str(named), "config": f"{scratch}/config.json"},
                signature=signature,
                input_example=example,
                code_paths=[str(code)],
                # Without this list, MLflow loads the model in another process to find it out.
                pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
            )
    return str(info.model_uri), str(info.model_id)


def _register(
    client: MlflowClient, run_id: str, state: StageState, model_uri: str, model_id: str
) -> None:
    from mlflow.exceptions import MlflowException

    name = registered_name(state.stage)
    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(
            name, description=f"The model of the stage `{state.stage}`. Input: uint8 images "
            "(features for the perceptron); output: class probabilities. There is one version per "
            "state of the pipeline; the alias `current` names the one in dvc.lock."
        )  # fmt: skip
    if client.search_model_versions(f"run_id = '{run_id}'"):
        return
    weights = next((md5 for path, md5 in state.outs.items() if path.endswith(WEIGHTS)), "")
    run = client.get_run(run_id).data
    accuracy, data = run.metrics.get("test_accuracy"), run.tags.get("data")
    client.create_model_version(
        name,
        model_uri,
        run_id=run_id,
        model_id=model_id,
        tags={"weights md5": weights},
        description=f"Test accuracy {accuracy:.4g} on {data}." if accuracy and data else None,
    )


def _example(state: StageState, pipeline: Pipeline) -> NDArray[np.generic] | None:
    """The first two test images (or features) among a stage's deps."""
    for dep, md5 in state.deps.items():
        if images := pipeline.find_within(dep, md5, "test_images.npy"):
            return np.array(read_npy(images)[:2])
        if features := pipeline.find_within(dep, md5, "testFeats.pkl"):
            return read_pickle(features)[:2].astype(np.float32)
    return None
