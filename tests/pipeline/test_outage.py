"""MLflow that is not there, dies, hangs or is locked: it costs a line and no result."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
from contextlib import contextmanager

import pytest

from tests.pipeline.mlflow_server import served

STAGE = ("python", "src/stage.py", "perceptron")
LINE = "MLflow is not available"


@contextmanager
def mute_server():
    """Takes every connection, as far as the system does that by itself, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def no_server():
    yield "http://127.0.0.1:9"


@contextmanager
def locked_database(file):
    store = sqlite3.connect(file, isolation_level=None)
    store.execute("BEGIN EXCLUSIVE")
    try:
        yield f"sqlite:///{file}"
    finally:
        store.close()


# The stage, and the seconds that it spends on tracking, as it sees them itself: the time of the
# whole process says more about what else the machine does.
TIMED = """
import sys, time
from dlvc.training.determinism import pin_instructions
pin_instructions()
import dlvc.stages.perceptron as stage
from dvcview.console import run_command
import dvcview.tracking.stage_logger as run
spent = 0
def timed(call):
    def inner(*args, **kwargs):
        global spent
        began = time.perf_counter()
        try:
            return call(*args, **kwargs)
        finally:
            spent += time.perf_counter() - began
    return inner
for name in ('begin', 'log_metrics', 'end'):
    setattr(run.StageRun, name, timed(getattr(run.StageRun, name)))
run_command(lambda: (stage.main(), print('mlflow' in sys.modules, spent)))
"""


def timed(project, address):
    stage = project.call("python", "-c", TIMED, MLFLOW_TRACKING_URI=address)
    imported, spent = stage.stdout.splitlines()[-1].split()
    assert imported == "False"
    return stage, float(spent)


@pytest.mark.parametrize(
    "kind",
    [
        "no server",
        pytest.param("mute server", marks=pytest.mark.full),
        pytest.param("locked database", marks=pytest.mark.full),
    ],
)
def test_an_outage_costs_a_line_and_at_most_five_seconds(done, kind):
    outage = {
        "no server": no_server,
        "mute server": mute_server,
        "locked database": lambda: locked_database(done.root / "mlflow.db"),
    }[kind]
    before = len(done.runs("perceptron"))
    with outage() as address:
        stage, spent = timed(done, address)
        assert stage.stderr.count(LINE) == 1
        assert spent < 5
        assert "Data and pipelines are up to date." in done.dvc("status").stdout
        failed = done.call("dvcview", "sync", ok=False, MLFLOW_TRACKING_URI=address)
        assert failed.returncode == 2
        assert failed.stderr.count("\n") == 1
        assert "nothing is lost" in failed.stderr
    done.sync()
    *_, run = done.runs("perceptron")
    assert len(done.runs("perceptron")) == before + 1
    assert_every_point(done, done.client, run)


def assert_every_point(project, client, run):
    metrics = json.loads(project.read("results/perceptron/metrics.json"))
    history = client.get_metric_history(run.info.run_id, "train_loss")
    assert [point.step for point in history] == list(range(1, metrics["epoch"] + 1))
    assert history[-1].value == metrics["train_loss"]
    assert run.info.status == "FINISHED"


@pytest.mark.full
def test_a_server_that_dies_in_the_middle_gets_every_point_later(done, tmp_path):
    from mlflow import MlflowClient

    done.set({"perceptron.epochs": 1000})
    store = tmp_path / "server.db"
    with served(store, tmp_path) as server:
        stage = done.start("dvc", "repro", "--single-item", "perceptron",
                           MLFLOW_TRACKING_URI=server.address)  # fmt: skip
        done.wait_for(lambda: "\nepoch " in stage.text())
        # Until the server is dead, the training must not end, however long the recorder takes.
        (training,) = done.processes("src/stage.py")
        training.suspend()
        client = MlflowClient(server.address)
        done.wait_for(lambda: any(
            client.get_metric_history(run.info.run_id, "train_loss")
            for run in done.runs("perceptron", client)
        ))  # fmt: skip
        server.kill()
        training.resume()
        said = stage.said()
        assert stage.returncode == 0, said
        assert said.count(LINE) == 1
    with served(store, tmp_path, port=server.port):
        done.sync(MLFLOW_TRACKING_URI=server.address)
        *_, run = done.runs("perceptron", client)
        assert_every_point(done, client, run)
        assert run.data.tags["dvcview.state"] == done.states()["perceptron"].digest


@pytest.mark.full
def test_strict_makes_an_outage_an_error(done):
    stage = done.call(*STAGE, ok=False, MLFLOW_TRACKING_URI="http://127.0.0.1:9",
                      DVCVIEW_TRACKING="strict")  # fmt: skip
    assert stage.returncode == 2
    (line,) = stage.stderr.splitlines()
    assert line.startswith(f"error: {LINE}")
    good = done.call(*STAGE, DVCVIEW_TRACKING="strict")
    assert good.returncode == 0
    *_, run = done.runs("perceptron")
    assert "train_loss" in run.data.metrics  # delivered before the stage returned
    wrong = done.call(*STAGE, ok=False, DVCVIEW_TRACKING="of")
    assert wrong.stderr == "error: DVCVIEW_TRACKING is 'of'; allowed: strict, or leave it out\n"


@pytest.mark.full
def test_tracking_changes_no_result(done):
    before = done.read("dvc.lock")
    done.dvc("repro", "--single-item", "--force", "perceptron",
             MLFLOW_TRACKING_URI="http://127.0.0.1:9")  # fmt: skip
    assert done.read("dvc.lock") == before


@pytest.mark.full
def test_tracking_costs_a_stage_little(done):
    _, spent = timed(done, f"sqlite:///{done.root / 'mlflow.db'}")
    assert spent < 2


@pytest.mark.full
def test_a_journal_that_cannot_be_written_costs_a_line_and_no_result(done):
    shutil.rmtree(done.root / ".dvcview", ignore_errors=True)
    (done.root / ".dvcview").mkdir()
    (done.root / ".dvcview/executions").write_text("a file in the way")
    before = done.read("dvc.lock")
    stage = done.dvc("repro", "--single-item", "--force", "perceptron")
    assert stage.stderr.count(LINE) == 1
    assert done.read("dvc.lock") == before
    strict = done.dvc("repro", "-s", "-f", "perceptron", ok=False, DVCVIEW_TRACKING="strict")
    assert strict.returncode != 0
    assert "DVCVIEW_TRACKING is strict" in strict.stderr
