"""`mlflow run`, as a user of MLflow calls it: from this folder and from a git address."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess

import pytest
from mlflow import MlflowClient

from dvcview.files.yaml_files import read_yaml
from tests.pipeline.mlflow_server import free_port
from tests.pipeline.project import SMALL, Project

pytestmark = pytest.mark.full


def mlflow_run(project, *words, ok=True, manager="local", address=".", **environment):
    return project.call(
        "mlflow", "run", address, "--env-manager", manager, *words, ok=ok, **environment
    )


def newest(client, entry_point):
    """The run of `mlflow run` itself."""
    found = client.search_runs(
        ["0"],
        f"tags.`mlflow.project.entryPoint` = '{entry_point}'",
        order_by=["attributes.start_time DESC"],
    )
    return found[0]


def test_one_stage_with_a_profile_and_a_parameter(done):
    done.set({"densenet.epochs": 7})
    mlflow_run(done, "-e", "perceptron", "-P", "profile=default", "-P", "perceptron.epochs=4")
    assert read_yaml(done.root / "params.yaml")["densenet"]["epochs"] == 2  # the profile's
    # In params.yaml, in what DVC keeps, and in MLflow alike.
    assert read_yaml(done.root / "params.yaml")["perceptron"]["epochs"] == 4
    assert json.loads(done.read("results/perceptron/metrics.json"))["updates"] == 4
    assert done.states()["perceptron"].params["perceptron.epochs"] == 4
    experiment = done.dvc("exp", "list", "--name-only").stdout.split()[-1]
    assert "perceptron.epochs" in done.dvc("params", "diff", "HEAD", experiment).stdout
    (run,) = [run for run in done.runs("perceptron") if run.data.params["perceptron.epochs"] == "4"]
    assert run.info.status == "FINISHED"

    project_run = newest(done.client, "perceptron")
    assert run.data.tags["mlflow.parentRunId"] == project_run.info.run_id
    assert run.info.run_id != project_run.info.run_id
    assert project_run.info.status == "FINISHED"
    assert project_run.data.params["perceptron.epochs"] == "4"
    assert project_run.data.params["profile"] == "default"
    assert project_run.data.tags["ran"] == "params, perceptron"
    assert run.data.tags["dvc.experiment"] == experiment


def test_the_whole_course_has_nothing_left_to_do(done):
    said = mlflow_run(done).stdout
    assert "Data and pipelines are up to date." in said
    assert newest(done.client, "main").info.status == "FINISHED"
    assert len(done.runs("lenet")) == 1


def test_a_stage_that_fails_fails_the_project_run(done):
    diverging = "update_rules.per_batch.learning_rate=1e30"
    failed = mlflow_run(done, "-e", "update_rules", "-P", diverging, ok=False)
    assert failed.returncode != 0
    _, run = done.runs("update_rules@per_batch")
    assert run.info.status == "FAILED"
    assert "the loss is" in run.data.tags["error"]
    project_run = newest(done.client, "update_rules")
    assert project_run.info.status == "FAILED"
    assert run.data.tags["mlflow.parentRunId"] == project_run.info.run_id


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def git_address(tmp_path):
    """The project as it is served by git itself on loopback."""
    project = Project.copy(tmp_path / "served" / "dlvc", SMALL)
    port = free_port()
    daemon = subprocess.Popen(
        ["git", "daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1", f"--port={port}",
         f"--base-path={tmp_path / 'served'}"],
        start_new_session=True,
    )  # fmt: skip
    project.wait_for(lambda: is_listening(port))
    yield project, f"git://127.0.0.1:{port}/dlvc"
    daemon.terminate()
    daemon.wait(timeout=10)


def test_from_a_git_address(git_address, tmp_path):
    """Nothing is there but the address: MLflow clones it; the runs land in the caller's store."""
    _, address = git_address
    here = Project(tmp_path / "elsewhere")
    here.root.mkdir()
    store = f"sqlite:///{here.root / 'mlflow.db'}"
    mlflow_run(here, "-e", "photos", "-P", "data.photos.bundled.train=100", "--version", "main",
               address=address, MLFLOW_TRACKING_URI=store)  # fmt: skip
    client = MlflowClient(store)
    (run,) = here.runs("photos", client)
    assert run.data.params["data.photos.bundled.train"] == "100"
    assert run.data.tags["mlflow.parentRunId"] == newest(client, "photos").info.run_id
    assert run.info.artifact_uri.startswith(here.root.as_uri())  # not in the clone, which goes
    assert "summary.json" in {file.path for file in client.list_artifacts(run.info.run_id)}


@pytest.mark.skipif(not shutil.which("uv"), reason="uv is not installed")
def test_with_an_environment_of_its_own(done, tmp_path):
    """uv makes it from requirements.lock; that is 6 GB, hard links where the file system can."""
    mlflow_run(done, "-e", "photos", "-P", "data.photos.bundled.train=100", manager="uv",
               MLFLOW_ENV_ROOT=str(tmp_path / "environments"),
               HOME=os.environ["HOME"])  # fmt: skip
    assert done.states()["photos"].params["data.photos.bundled.train"] == 100
    assert newest(done.client, "photos").data.tags["mlflow.project.env"] == "uv"
    shutil.rmtree(tmp_path / "environments")
