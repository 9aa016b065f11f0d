"""The whole course, run by the real dvc: what was learned, and what a second run does.

That every out has the form it should have is for `dvcview verify` to say: test_verify.py.
"""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from tests.pipeline.project import SMALL

TRAININGS = [
    "perceptron",
    "update_rules/per_epoch",
    "update_rules/per_batch",
    "update_rules/per_sample",
    "optimizers/sgd",
    "optimizers/momentum",
    "optimizers/adam",
    "lenet",
    "densenet",
]
CHANCE = 0.1
# A stated margin each, about half of what is seen. SGD at 1e-4 learns nothing: lecture 25's point.
ACCURACY = {
    "perceptron": 0.12,
    "update_rules/per_batch": 0.5,
    "update_rules/per_sample": 0.5,
    "optimizers/adam": 0.4,
    "lenet": 0.2,
    "densenet": 0.25,
}
UPDATES = {
    "perceptron": 20,
    "update_rules/per_epoch": 3,
    "update_rules/per_batch": 5 * 20,
    "update_rules/per_sample": 2000,
    "optimizers/sgd": 3 * 20,
    "optimizers/momentum": 3 * 20,
    "optimizers/adam": 3 * 20,
    "lenet": 8 * 20,
    "densenet": 3 * 19,  # 600 photographs in batches of 32
}
PARAMETERS = {
    "perceptron": 9 * 10 + 10,
    **{name: 784 * 400 + 400 + 400 * 256 + 256 + 2560 + 10 for name in UPDATES if "/" in name},
    "lenet": 61706,
    "densenet": 7978856 - (1024 * 1000 + 1000) + (1024 * 10 + 10),
}


def rows(course, name):
    with (course.root / f"results/{name}/curves.csv").open() as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def test_images_are_as_many_as_params_yaml_asks_for(course):
    for folder, train, test in (("digits", 2000, 500), ("photos", 600, 200)):
        summary = json.loads(course.read(f"data/{folder}/summary.json"))
        assert summary["train"]["images"] == train == SMALL[f"data.{folder}.bundled.train"]
        assert summary["test"]["images"] == test == SMALL[f"data.{folder}.bundled.test"]


def test_updates_and_parameters_are_as_many_as_counted_by_hand(course):
    for name in TRAININGS:
        metrics = json.loads(course.read(f"results/{name}/metrics.json"))
        assert (metrics["updates"], metrics["parameters"]) == (UPDATES[name], PARAMETERS[name]), (
            name
        )


@pytest.mark.parametrize("name", TRAININGS)
def test_the_training_loss_falls(course, name):
    curve = rows(course, name)
    if len(curve) > 1:
        assert curve[-1]["train_loss"] < curve[0]["train_loss"]
    else:
        losses = np.load(course.root / f"results/{name}/update_losses.npy")
        assert losses[-500:].mean() < 0.7 * losses[:500].mean()


@pytest.mark.parametrize(("name", "least"), ACCURACY.items())
def test_what_was_learned_holds_on_test_images(course, name, least):
    assert least > CHANCE
    assert rows(course, name)[-1]["test_accuracy"] >= least


def test_adam_is_above_momentum_above_sgd(course):
    loss = {
        name: rows(course, f"optimizers/{name}")[-1]["train_loss"]
        for name in ("sgd", "momentum", "adam")
    }
    assert loss["adam"] < loss["momentum"] < loss["sgd"]


def test_a_second_run_finds_nothing_to_do(scratch):
    assert "Data and pipelines are up to date." in scratch.dvc("repro").stdout
    assert scratch.dvc("status").stdout.strip() == "Data and pipelines are up to date."


@pytest.mark.full
def test_everything_once_more_gives_the_same_bytes(done):
    lock = done.read("dvc.lock")
    done.dvc("repro", "--force")
    assert done.read("dvc.lock") == lock


@pytest.mark.full
def test_a_parameter_runs_its_own_stage_again_and_no_other(scratch):
    scratch.set({"perceptron.epochs": 3})
    ran = scratch.dvc("repro").stdout
    scratch.set({"perceptron.epochs": 20})
    back = scratch.dvc("repro").stdout
    assert [line for line in ran.splitlines() if line.startswith("Running")] == [
        "Running stage 'params':",
        "Running stage 'perceptron':",
        "Running stage 'figures':",
        "Running stage 'report':",
    ]
    assert "Stage 'perceptron' is cached - skipping run, checking out outputs" in back
    assert "perceptron.epochs" not in SMALL


def test_dvc_answers(scratch):
    assert "results/lenet/metrics.json" in scratch.dvc("metrics", "show").stdout
    assert "lenet" in scratch.dvc("dag").stdout
    scratch.dvc("plots", "show", "--out", "plots")
    page = (scratch.root / "plots/index.html").read_text()
    assert "optimizers" in page
    assert "conv1.png" in page


def test_no_out_names_a_time_a_host_or_a_run(course):
    """Outs hold results; what changes without cause would change dvc.lock."""
    suspicious = ("run_id", "hostname", "timestamp", str(course.root))
    for file in (course.root / "results").rglob("*.json"):
        assert not any(word in file.read_text() for word in suspicious), file
