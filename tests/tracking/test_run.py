"""Runs in a real store, written by real processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from mlflow import MlflowClient

from dlvc.tracking.store import project_root, tracking_uri

DATA = {"name": "two images", "digest": "0123456789abcdef", "stand_in_for": None}
STAGE = f"""
from dlvc.tracking import stage_run
with stage_run("Lecture 29 LeNet", "lenet", {{"epochs": 3}}, {DATA!r}) as run:
    BODY
"""


def start(root, body="pass", **environment):
    ours = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    return subprocess.Popen(
        [sys.executable, "-c", STAGE.replace("BODY", body)],
        env={**ours, "DVC_ROOT": str(root), **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def lenet_runs(root):
    client = MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    lecture = client.get_experiment_by_name("Lecture 29 LeNet")
    return client.search_runs([lecture.experiment_id])


def test_several_stages_may_be_the_first_to_use_the_store(tmp_path):
    processes = [start(tmp_path) for _ in range(3)]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        assert "MLflow is not available" not in errors
    assert [run.info.status for run in lenet_runs(tmp_path)] == ["FINISHED"] * 3


def test_a_stage_that_fails_leaves_a_failed_run_and_its_own_error(tmp_path):
    process = start(tmp_path, "raise ValueError('the stage is broken')")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "the stage is broken" in errors
    (run,) = lenet_runs(tmp_path)
    assert run.info.status == "FAILED"
    assert run.data.params["epochs"] == "3"


def test_the_run_of_mlflow_run_is_the_parent_and_not_the_run_itself(tmp_path):
    process = start(tmp_path, MLFLOW_RUN_ID="a" * 32, DLVC_PARENT_RUN="b" * 32)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    (run,) = lenet_runs(tmp_path)
    assert run.info.run_id != "a" * 32
    assert run.data.tags["mlflow.parentRunId"] == "b" * 32


def test_the_store_is_at_the_projects_root(tmp_path, monkeypatch):
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    below = tmp_path / "results" / "lenet"
    below.mkdir(parents=True)
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(below)
    assert project_root() == tmp_path
    assert tracking_uri(project_root()) == f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.mark.parametrize("address", ["http://127.0.0.1:5000", "sqlite:////elsewhere/mlflow.db"])
def test_an_address_in_the_environment_is_taken(tmp_path, monkeypatch, address):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert tracking_uri(tmp_path) == address
