"""LeNet and DenseNet trained by two real processes, by torch's own launcher, over gloo."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import numpy as np
import psutil
import pytest

from dlvc.checks.compare_metrics import TOLERANCES
from dlvc.training.weights import read_weights
from dvcview.files.artifacts import read_csv
from tests.pipeline.project import SMALL, Project
from tests.pipeline.shared import shared_project
from tests.stress.undisturbed import differences, words_of

pytestmark = pytest.mark.full

TOGETHER = {
    "runtime.processes": 2, "lenet.epochs": 4, "densenet.epochs": 1,
    "data.photos.bundled.train": 200, "data.photos.bundled.test": 50,
}  # fmt: skip
TRAINED = ("lenet", "densenet")
LONG = {"lenet.epochs": 60}
QUANTITIES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")


@pytest.fixture(scope="session")
def alone(pytestconfig) -> Project:
    """Each model trained by one process."""
    params = {**SMALL, **TOGETHER, "runtime.processes": 1}
    return shared_project(
        pytestconfig, "alone", params, lambda project: project.dvc("repro", *TRAINED)
    )


@pytest.fixture(scope="session")
def both(pytestconfig) -> Project:
    """The same, by two."""

    def run(project: Project) -> None:
        project.dvc("repro", *TRAINED)
        project.sync()

    return shared_project(pytestconfig, "both", {**SMALL, **TOGETHER}, run)


@pytest.fixture
def project(both, tmp_path) -> Project:
    """For tests that change it."""
    return both.duplicate(tmp_path / "dlvc")


def ranks(project):
    """The processes that train, by their rank."""
    found = {}
    for one in project.processes("-u"):
        with suppress(psutil.Error, KeyError):  # it has just ended
            found[int(one.environ()["RANK"])] = one
    return found


def launcher(project, stage):
    (found,) = (p for p in project.processes() if words_of(p)[1:] == ["src/stage.py", stage])
    return found


def train_and_wait(project, epochs):
    """`dvc repro lenet`, after some epochs of a long training."""
    project.set(LONG)
    run = project.start("dvc", "repro", "lenet")
    project.wait_for(lambda: run.text().count("\nepoch ") >= epochs)
    return run


@pytest.mark.parametrize("stage", TRAINED)
def test_two_processes_learn_what_one_learns(stage, alone, both):
    """But for the last digits, whose differences Adam enlarges with every update.

    tests/dlvc/training/test_process_group.py compares single updates."""
    file = f"results/{stage}/curves.csv"
    for one, two in zip(read_csv(alone.root / file), read_csv(both.root / file), strict=True):
        assert one["updates"] == two["updates"]
        for quantity in QUANTITIES:
            apart = abs(float(two[quantity]) - float(one[quantity]))
            loss = TOLERANCES[stage].loss * float(one[quantity])
            most = loss if "loss" in quantity else TOLERANCES[stage].accuracy
            assert apart <= most, (one["epoch"], quantity)


def test_lenets_weights_are_the_same_to_four_digits(alone, both):
    one, two = (
        read_weights(project.root / "results/lenet/weights.safetensors")
        for project in (alone, both)
    )
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, atol=1e-4, err_msg=name)
    assert any((two[name] != value).any() for name, value in one.items())  # other last digits


@pytest.mark.parametrize("stage", TRAINED)
def test_there_is_one_run_in_mlflow_and_it_says_how_many_computed(stage, both):
    (run,) = (run for run in both.runs(stage) if run.data.params["runtime.processes"] == "2")
    assert run.info.status == "FINISHED"
    assert "processes: 2" in both.read(f"results/{stage}/metrics.json")


def test_again_gives_the_same_bytes(both, project):
    project.dvc("repro", "--force", "--single-item", *TRAINED)
    assert not differences(both, project)


def test_after_a_kill_all_go_on_and_end_with_the_same_bytes(project, tmp_path):
    """The first process writes the checkpoints, the other does not: each is killed once."""
    longer = {"lenet.epochs": 60, "densenet.epochs": 4}
    undisturbed = project.duplicate(tmp_path / "undisturbed")
    project.set(longer)
    run = project.start("dvc", "repro", *TRAINED)
    for stage, rank in (("lenet", 0), ("densenet", 1)):
        project.wait_for(lambda stage=stage: checkpoints_of(project, stage))
        ranks(project)[rank].kill()
        project.wait_for(lambda stage=stage: went_on(run, stage))
    said = run.said()
    assert run.returncode == 0, said
    assert "Traceback" not in said
    undisturbed.set(longer)
    undisturbed.dvc("repro", *TRAINED)
    assert not differences(undisturbed, project)


def checkpoints_of(project, stage):
    return list(project.root.glob(f".dlvc/checkpoints/{stage}-*.pt"))


def went_on(run, stage):
    """Whether a stage has said that it goes on from its checkpoint."""
    _, _, said = run.text().partition(f"Running stage '{stage}'")
    return "resumes after" in said or "resumes in" in said


def test_ctrl_c_stops_all_of_them_and_the_same_command_goes_on(project):
    run = train_and_wait(project, epochs=4)
    os.killpg(run.pid, signal.SIGINT)
    said = run.said()
    assert not ranks(project)
    assert "the same command resumes there" in said
    assert "Connection" not in said
    again = project.dvc("repro", "lenet")
    assert "resumes " in again.stderr


def test_they_end_when_their_launcher_is_killed(project):
    run = train_and_wait(project, epochs=2)
    launcher(project, "lenet").kill()
    run.said()
    project.wait_for(lambda: not ranks(project))


def test_a_mistake_is_told_once_in_one_line(project):
    project.set({"lenet.learning_rate": 1e30})
    told = project.call("python", "src/stage.py", "lenet", ok=False)
    assert told.returncode == 2
    (line,) = (line for line in told.stderr.splitlines() if "hold each other up" not in line)
    assert line.startswith("error: the ")
    assert "a lower learning_rate in params.yaml may help" in told.stderr


def test_more_threads_than_cores_are_advised_against(project):
    project.set({"runtime.threads": 2 * (os.cpu_count() or 1), "lenet.epochs": 1})
    told = project.call("python", "src/stage.py", "lenet")
    assert "a lower runtime.threads in params.yaml is faster" in told.stderr
