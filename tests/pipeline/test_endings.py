"""A stage that fails, is interrupted, terminated or killed: its run says so, and why."""

from __future__ import annotations

import os
import signal

import pytest

pytestmark = pytest.mark.full

LONG = {"perceptron.epochs": 1_000_000}


@pytest.fixture
def training(done):
    """A stage in the middle of its training, started by dvc, and its run."""
    done.set(LONG)
    process = done.start("dvc", "repro", "--single-item", "perceptron")
    done.wait_for(lambda: _epochs(done) > 0)
    yield process
    done.kill("src/stage.py")
    process.wait(timeout=600)


def _epochs(project):
    _, *new = project.runs("perceptron")
    return sum(len(run.data.metrics) for run in new)


def stage_process(project):
    (found,) = project.processes("src/stage.py")
    return found


def the_run(project):
    _, run = project.runs("perceptron")  # the first is the course's own
    return run


@pytest.mark.parametrize(
    ("number", "status", "error"),
    [
        (signal.SIGINT, "KILLED", "interrupted (Ctrl-C)"),
        (signal.SIGTERM, "KILLED", "terminated (exit code 143)"),
        (signal.SIGKILL, "KILLED", "the process ended without a message"),
    ],
)
def test_a_signal_ends_the_run_at_once(done, training, number, status, error):
    assert the_run(done).info.status == "RUNNING"
    stage_process(done).send_signal(number)
    done.wait_for(lambda: the_run(done).info.status != "RUNNING")
    assert the_run(done).info.status == status
    assert the_run(done).data.tags["error"] == error
    assert "Traceback" not in training.said()
    assert training.returncode != 0


def test_when_everything_is_killed_the_next_sync_says_so(done, training):
    """kill -9 of dvc, its stage and the recorder: as a machine that loses its power."""
    run = the_run(done)
    done.kill("dvcview.tracking.recorder")  # first, or it could still see the others' end
    os.killpg(training.pid, signal.SIGKILL)
    training.wait(timeout=600)
    assert the_run(done).info.status == "RUNNING"
    done.set({"perceptron.epochs": 20})
    done.dvc("checkout")
    done.sync()
    after = done.client.get_run(run.info.run_id)
    assert after.info.status == "KILLED"
    parent = done.client.get_run(after.data.tags["mlflow.parentRunId"])
    assert parent.info.status == "KILLED"
    assert parent.data.tags["failed"] == "perceptron"


def test_a_stage_that_fails_says_why_and_so_does_its_execution(done):
    done.set({"update_rules.per_batch.learning_rate": 1e30})
    stage = "update_rules@per_batch"
    failed = done.dvc("repro", "--single-item", stage, ok=False)
    assert failed.returncode != 0
    done.sync()
    _, run = done.runs(stage)
    assert run.info.status == "FAILED"
    assert "the loss is" in run.data.tags["error"]
    parent = done.client.get_run(run.data.tags["mlflow.parentRunId"])
    assert parent.info.run_name == f"dvc repro --single-item {stage}"
    assert parent.info.status == "FAILED"
    assert parent.data.tags["failed"] == stage


def test_a_mistake_in_params_yaml_is_a_failed_run_that_says_so(done):
    done.set({"lenet.epochs": "many"})
    assert done.dvc("repro", ok=False).returncode != 0
    done.sync()
    _, run = done.runs("params")
    assert run.info.status == "FAILED"
    assert run.data.tags["error"] == "params.yaml: lenet.epochs is 'many'; allowed: integer"


def test_an_error_of_ours_leaves_its_traceback(done):
    stage = (
        "from pathlib import Path\n"
        "from dvcview.tracking import stage_run\n"
        "with stage_run('perceptron', Path('x'), {}): raise ValueError('broken')\n"
    )
    done.call("python", "-c", stage, ok=False)
    done.sync()
    (run,) = [run for run in done.runs("perceptron") if run.info.status == "FAILED"]
    assert run.data.tags["error"] == "ValueError: broken"
    assert "error.txt" in {file.path for file in done.client.list_artifacts(run.info.run_id)}
