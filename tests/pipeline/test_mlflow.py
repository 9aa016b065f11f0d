"""What MLflow shows after a real `dvc repro`, and that it never stands in the way."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

STAGES = {
    "Data": {"digits", "photos"},
    "Lecture 03 texture features": {"features"},
    "Lecture 05 perceptron": {"perceptron"},
    "Lecture 24 update rules": {"per_epoch", "per_batch", "per_sample"},
    "Lecture 25 optimizers": {"sgd", "momentum", "adam"},
    "Lecture 29 LeNet": {"lenet"},
    "Lecture 40 DenseNet": {"densenet"},
}


@pytest.fixture(scope="module")
def client(course):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{course.root / 'mlflow.db'}")


def runs(client, experiment):
    found = client.get_experiment_by_name(experiment)
    return client.search_runs([found.experiment_id], order_by=["attributes.start_time"])


def first_run(client, experiment, name):
    return next(run for run in runs(client, experiment) if run.info.run_name == name)


@pytest.mark.parametrize("experiment", STAGES)
def test_each_lecture_is_an_experiment_and_each_stage_a_finished_run(client, experiment):
    # A stage started by hand, as other tests start some that fail, has no parent.
    found = [run for run in runs(client, experiment) if "mlflow.parentRunId" in run.data.tags]
    assert {run.info.run_name for run in found} == STAGES[experiment]
    assert {run.info.status for run in found} == {"FINISHED"}


def test_the_runs_of_one_repro_have_one_parent(client):
    parents = set()
    for experiment, names in STAGES.items():
        firsts = [first_run(client, experiment, name) for name in names]
        parents |= {run.data.tags["mlflow.parentRunId"] for run in firsts}
    (parent,) = parents
    assert client.get_run(parent).info.run_name == "dvc repro"


def test_a_run_shows_parameters_data_curve_and_pictures(client, course):
    run = first_run(client, "Lecture 25 optimizers", "momentum")
    expected = {"learning_rate": "0.0001", "momentum": "0.9", "epochs": "3", "batch_size": "100"}
    assert expected.items() <= run.data.params.items()
    summary = json.loads(course.read("data/digits/summary.json"))
    assert run.data.params["data_digest"] == summary["digest"]
    assert run.data.tags["dlvc.stand_in_for"] == "MNIST"
    (dataset,) = run.inputs.dataset_inputs
    assert dataset.dataset.digest == summary["digest"]

    metrics = json.loads(course.read("results/optimizers/momentum/metrics.json"))
    for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy"):
        history = client.get_metric_history(run.info.run_id, name)
        assert [point.step for point in history] == [1, 2, 3]
        assert history[-1].value == metrics[name]
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"metrics.json", "curves.csv", "loss.png", "confusion.png"} <= files


@pytest.mark.parametrize(
    ("experiment", "name", "images"),
    [
        ("Lecture 29 LeNet", "lenet", "data/digits/test_images.npy"),
        ("Lecture 40 DenseNet", "densenet", "data/photos/test_images.npy"),
    ],
)
def test_the_logged_model_predicts_what_the_stage_predicted(
    client, course, experiment, name, images, monkeypatch
):
    import mlflow
    import torch

    run = first_run(client, experiment, name)
    (logged,) = client.search_logged_models(
        [run.info.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'"
    )
    assert logged.name == "model"
    # Not set_tracking_uri: it would leave the address in the environment of every later test.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{course.root / 'mlflow.db'}")
    model = mlflow.pytorch.load_model(logged.model_uri)
    tests = np.load(course.root / images)
    with torch.no_grad():
        predicted = torch.cat([model(part).argmax(1) for part in torch.tensor(tests).split(50)])
    labels = np.load(course.root / images.replace("images", "labels"))
    accuracy = json.loads(course.read(f"results/{name}/metrics.json"))["test_accuracy"]
    assert float((predicted.numpy() == labels).mean()) == pytest.approx(accuracy, abs=0.005)


def test_the_store_is_the_projects_wherever_dvc_is_called_from(course, client):
    before = len(runs(client, "Lecture 05 perceptron"))
    elsewhere = course.root / "results"
    course.call(
        "sh", "-c", f"cd '{elsewhere}' && dvc repro --single-item --force ../dvc.yaml:perceptron",
        PYTHONPATH=str(course.root / "src"),
    )  # fmt: skip
    assert len(runs(client, "Lecture 05 perceptron")) == before + 1
    assert not (elsewhere / "mlflow.db").exists()


def test_a_dead_server_costs_a_line_and_no_result(course):
    began = time.monotonic()
    done = course.call(
        "python", "-m", "dlvc.stages.perceptron", MLFLOW_TRACKING_URI="http://127.0.0.1:9"
    )
    assert done.stderr.count("MLflow is not available, this run goes on without") == 1
    assert time.monotonic() - began < 60
    assert "Data and pipelines are up to date." in course.dvc("status").stdout
