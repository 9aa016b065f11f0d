"""What MLflow shows after a real `dvc repro`."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from dlvc.arrays.array_files import read_pickle
from dvcview.files.yaml_files import read_yaml
from dvcview.project.dvc_processes import WAIT_FOR_LOCK

LECTURES = {
    "Data": {"params", "digits", "photos"},
    "Lecture 03 texture features": {"features"},
    "Lecture 05 perceptron": {"perceptron", "exercise: rates"},
    "Lecture 24 update rules": {
        "per epoch", "per batch", "per sample", "exercise: equal updates",
        "exercise: per sample at 0.1",
    },
    "Lecture 25 optimizers": {
        "SGD", "momentum", "Adam", "exercise: batch sizes",
        "exercise: long SGD · off", "exercise: momentum or rate",
    },
    "Lecture 29 LeNet": {"LeNet", "exercise: 100 epochs", "exercise: Adam or SGD"},
    "Lecture 40 DenseNet": {"DenseNet-121", "exercise: ResNet-18"},
    "Report": {"costs", "figures", "report"},
}  # fmt: skip
PICKLES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
# stage: the model's name, the images that it is tested on, their folder's labels
MODELS = {
    "perceptron": ("data/features", None),
    "update_rules@per_batch": ("data/digits", "test_images.npy"),
    "optimizers@adam": ("data/digits", "test_images.npy"),
    "lenet": ("data/digits", "test_images.npy"),
    "densenet": ("data/photos", "test_images.npy"),
}


@pytest.fixture(scope="module")
def client(course):
    return course.client


def the_run(course, stage):
    """The run that bears the stage's state."""
    digest = course.states()[stage].digest
    (run,) = [run for run in course.runs(stage) if run.data.tags.get("dvcview.state") == digest]
    return run


@pytest.mark.parametrize("experiment", LECTURES)
def test_each_lecture_is_an_experiment_and_each_stage_a_finished_run(client, experiment):
    found = client.get_experiment_by_name(experiment)
    runs = client.search_runs([found.experiment_id])
    assert {run.info.run_name for run in runs} == LECTURES[experiment]
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert all(run.data.tags["mlflow.note.content"] for run in runs)
    about = found.tags["mlflow.note.content"]
    assert len(about.splitlines()[0]) < 60  # the list of experiments cuts what is longer
    assert "Look at" in about or "Open" in about


def test_the_runs_of_one_repro_have_one_parent_which_says_what_ran(client, course):
    states = course.states()
    (parent,) = {the_run(course, stage).data.tags["mlflow.parentRunId"] for stage in states}
    execution = client.get_run(parent)
    assert execution.info.run_name == "dvc repro"
    assert execution.info.status == "FINISHED"
    assert set(execution.data.tags["ran"].split(", ")) == set(states)
    assert execution.data.tags["restored"] == execution.data.tags["failed"] == ""
    for stage in states:
        assert the_run(course, stage).info.run_id in execution.data.tags["mlflow.note.content"]


def test_every_parameter_is_shown_under_its_name_in_params_yaml(course):
    for stage, state in course.states().items():
        shown = the_run(course, stage).data.params
        own = f"{stage.replace('@', '.')}."
        short = {key.removeprefix(own) for key in state.params if "@" in stage and own in key}
        assert set(shown) == set(state.params) | short
        for key, value in state.params.items():
            assert shown[key] == str(value) or float(shown[key]) == value


def test_the_parameters_of_variants_line_up(course):
    rates = {
        stage: the_run(course, stage).data.params["learning_rate"]
        for stage in course.states()
        if stage.startswith(("update_rules@", "optimizers@"))
    }
    assert len(rates) == 6
    assert rates["update_rules@per_sample"] == "0.01"


def test_a_run_shows_curve_pictures_and_tables(client, course):
    run = the_run(course, "lenet")
    metrics = json.loads(course.read("results/lenet/metrics.json"))
    for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "updates"):
        history = client.get_metric_history(run.info.run_id, name)
        assert [point.step for point in history] == list(range(1, 9))
        assert history[-1].value == metrics[name]
    assert run.data.metrics["parameters"] == 61706
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    pictures = {"loss.png", "accuracy.png", "confusion.png", "conv1.png", "conv2.png"}
    assert pictures | {"metrics.json", "curves.csv", "confusion.csv", "layers.csv"} <= files


def test_curves_over_epochs_came_while_the_stage_ran(client, course):
    """One batch an epoch: the points of one epoch have one time, and the epochs have others."""
    run = the_run(course, "lenet")
    history = client.get_metric_history(run.info.run_id, "test_accuracy")
    times = [point.timestamp for point in history]
    assert len(set(times)) > 1
    assert run.info.start_time < times[0]
    assert times[-1] <= run.info.end_time
    others = client.get_metric_history(run.info.run_id, "train_loss")
    assert [point.timestamp for point in others] == times


def test_the_three_rules_can_be_compared_over_updates(client, course):
    for rule, updates in (("per_epoch", 3), ("per_batch", 100), ("per_sample", 2000)):
        run = the_run(course, f"update_rules@{rule}")
        history = client.get_metric_history(run.info.run_id, "by_updates/test_accuracy")
        assert history[-1].step == updates


def test_the_lectures_figures_stand_beside_ours(client, course):
    for lecture in read_yaml(course.root / "lectures.yaml"):
        for stage, entry in lecture["stages"].items():
            run = the_run(course, stage)
            for metric, values in entry.get("figures", {}).items():
                assert metric in run.data.metrics
                history = client.get_metric_history(run.info.run_id, f"published/{metric}")
                assert {point.step: point.value for point in history} == values


def test_the_images_are_an_input_with_digest_and_source(course):
    summary = json.loads(course.read("data/digits/summary.json"))
    for stage in ("digits", "update_rules@per_epoch", "optimizers@sgd", "lenet"):
        run = the_run(course, stage)
        (given,) = run.inputs.dataset_inputs
        assert given.dataset.name == summary["name"]
        assert given.dataset.digest == summary["digest"]
        assert run.data.tags["stand-in for"] == "MNIST"


def given_and_labels(course, folder, file):
    root = course.root / folder
    if file:
        return np.load(root / file), np.load(root / "test_labels.npy")
    features = read_pickle(root / "testFeats.pkl").astype(np.float32)
    return features, read_pickle(root / "testLabel.pkl")


@pytest.mark.parametrize("stage", MODELS)
def test_the_registered_model_gives_the_probabilities_that_the_stage_found(
    course, stage, monkeypatch
):
    import mlflow

    # Not set_tracking_uri: it would leave the address in the environment of every later test.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{course.root / 'mlflow.db'}")
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    # MLflow puts the model's own code first, and leaves it there: later processes would import it.
    monkeypatch.setattr(sys, "path", sys.path.copy())
    model = mlflow.pyfunc.load_model(f"models:/{stage.replace('@', '-')}@current")
    given, labels = given_and_labels(course, *MODELS[stage])
    parts = [model.predict(given[at : at + 50]) for at in range(0, len(given), 50)]
    probabilities = np.concatenate(parts)
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (len(given), 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert (probabilities >= 0).all()
    folder = "results/" + stage.replace("@", "/")
    accuracy = json.loads(course.read(f"{folder}/metrics.json"))["test_accuracy"]
    found = float((probabilities.argmax(axis=1) == labels).mean())
    assert found == pytest.approx(accuracy, abs=0.005)

    signature = model.metadata.signature
    assert signature.inputs.inputs[0].type == given.dtype
    assert signature.inputs.inputs[0].shape == (-1, *given.shape[1:])
    with pytest.raises(mlflow.exceptions.MlflowException):
        model.predict(given[:2].astype(np.float64) if stage == "lenet" else given[:2].astype(str))


def test_no_file_of_a_model_is_a_pickle(client, course):
    for stage in MODELS:
        (output,) = the_run(course, stage).outputs.model_outputs
        folder = Path(client.get_logged_model(output.model_id).artifact_location[7:])  # file://
        files = [file for file in folder.rglob("*") if file.is_file()]
        assert {"MLmodel", "classifier.py", "input_example.json", "weights.safetensors"} <= {
            file.name for file in files
        }
        for file in files:
            assert file.suffix not in {".pkl", ".pickle", ".pt", ".pth", ".npy"}
            assert not file.read_bytes().startswith((*PICKLES, b"PK"))


@pytest.mark.full
def test_mlflow_serves_a_model_and_predicts_from_a_file(course, tmp_path):
    images = np.load(course.root / "data/digits/test_images.npy")[:3]
    (tmp_path / "images.json").write_text(json.dumps({"inputs": images.tolist()}))
    said = course.call(
        "mlflow", "models", "predict", "--env-manager", "local",
        "--model-uri", "models:/lenet@current", "--content-type", "json",
        "--input-path", str(tmp_path / "images.json"), "--output-path", str(tmp_path / "said.json"),
        MLFLOW_TRACKING_URI=f"sqlite:///{course.root / 'mlflow.db'}",
    )  # fmt: skip
    answer = json.loads((tmp_path / "said.json").read_text())
    assert np.shape(answer["predictions"]) == (3, 10), said.stderr
    np.testing.assert_allclose(np.sum(answer["predictions"], axis=1), 1, rtol=1e-5)


@pytest.mark.full
def test_the_store_is_the_projects_wherever_dvc_is_called_from(done):
    before = len(done.runs("perceptron"))
    elsewhere = done.root / "results"
    done.call(
        "sh", "-c", f"cd '{elsewhere}' && dvc repro --single-item --force ../dvc.yaml:perceptron",
        PYTHONPATH=str(done.root / "src"),
    )  # fmt: skip
    done.sync()
    assert len(done.runs("perceptron")) == before + 1
    assert not (elsewhere / "mlflow.db").exists()


@pytest.mark.full
def test_several_stages_may_be_the_first_to_use_the_store(done):
    """Two executions at once, and no store yet."""
    done.forget()
    both = [
        done.start("dvc", WAIT_FOR_LOCK, "repro", "--single-item", "--force", stage)
        for stage in ("update_rules@per_epoch", "perceptron")
    ]
    for process in both:
        said = process.said()
        assert process.returncode == 0, said
        assert "MLflow is not available" not in said
    done.sync()
    for stage in ("update_rules@per_epoch", "perceptron"):
        (run,) = done.runs(stage)
        assert run.info.status == "FINISHED"
        assert "origin" not in run.data.tags  # it was watched


# Delivers as a recorder does, but takes every stage for a long one, until it has been measured.
WATCH = """
import time
from pathlib import Path
from dvcview.tracking import uploader
from dvcview.tracking.execution import read_executions
from dvcview.tracking.run_store import RunStore
uploader.LONG_STAGE = 0
root = Path.cwd()
(execution,) = read_executions(root)
upload = uploader.Uploader(RunStore(root), execution, execution.folder(root))
client = upload.run_store.client
watched, until = False, time.monotonic() + 120
while not watched and time.monotonic() < until:
    upload.step()
    time.sleep(0.5)
    for stage in upload._stages.values():
        run = client.get_run(stage.run_id) if stage.run_id else None
        watched = run and any(name.startswith("system/cpu") for name in run.data.metrics)
assert watched
"""


@pytest.mark.full
def test_a_long_stage_has_the_machines_figures_too(done):
    done.set({"perceptron.epochs": 1_000_000})
    training = done.start("dvc", "repro", "--single-item", "perceptron",
                          MLFLOW_TRACKING_URI="http://127.0.0.1:9")  # fmt: skip
    try:
        done.wait_for(lambda: bool(done.executions()) and "epoch" in training.text())
        done.call("python", "-c", WATCH, MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL="1")
    finally:
        os.killpg(training.pid, signal.SIGKILL)
        training.said(60)
