"""The table at the end of `dlvc run`."""

from __future__ import annotations

import shutil

import pytest

from dlvc.summary import OTHER_IMAGES, summarize_run
from tests.dlvc.report.made_up import Made
from tests.imports import ROOT


@pytest.fixture
def made(tmp_path):
    """Outs of two lectures' trainings: three seeds and more epochs than printed, and fewer."""
    shutil.copy2(ROOT / "lectures.yaml", tmp_path)
    made = Made(tmp_path)
    made.training("lenet", test_accuracy=[[0.1] * 9 + [0.9, 0.99], [0.1] * 9 + [0.8, 0.99]])
    made.training("perceptron", test_accuracy=[0.125, 0.25])
    return made


def test_a_training_stands_beside_the_last_printed_epoch_that_it_has(made):
    assert summarize_run(made.root, "lenet").splitlines() == [
        "lecture  training  epoch  in the lecture  test accuracy here",
        "29       LeNet     10     97.4%           85.0% (80.0% to 90.0%)",
    ]


def test_a_training_with_fewer_epochs_than_printed_has_its_own_last_one(made):
    assert summarize_run(made.root, "perceptron").splitlines()[1] == (
        "5        perceptron  2      -               25.0%"
    )


def test_other_images_than_the_lectures_are_named(made):
    made.images("photos", real=False)
    made.images("digits", real=True)
    assert "not the lectures'" not in summarize_run(made.root, "lenet")
    made.images("digits", real=False)
    assert summarize_run(made.root, "lenet").splitlines()[-1] == OTHER_IMAGES.format("digits")


def test_a_stage_has_all_its_variants_and_other_stages_have_no_table(made):
    for rule in ("per_epoch", "per_batch", "per_sample"):
        made.training(f"update_rules@{rule}", test_accuracy=[0.5])
    assert len(summarize_run(made.root, "update_rules").splitlines()) == 1 + 3
    assert len(summarize_run(made.root, "update_rules@per_batch").splitlines()) == 1 + 1
    assert summarize_run(made.root, "photos") == ""
