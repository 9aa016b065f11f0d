"""Each rule, on outs that were made up for it: what confirms the claim, and what refutes it."""

from __future__ import annotations

import numpy as np
import pytest

from dlvc.evidence.lectures import read_lectures
from dlvc.report.judge import RULES
from dlvc.report.verdict import HOLDS, IN_PART, REFUTED, UNTESTED
from tests.dlvc.report.made_up import Made
from tests.imports import ROOT


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path)


def word(made, claim):
    return RULES[claim](made.evidence()).word


def falling(epochs, by=0.001):
    return 1.0 * (1 - by) ** np.arange(epochs)


def test_every_claim_of_the_lectures_has_a_rule_and_every_rule_a_claim():
    claims = [c.id for lecture in read_lectures(ROOT / "lectures.yaml") for c in lecture.claims]
    assert claims == list(RULES)
    assert len(claims) == 34


def test_a_claim_says_what_would_refute_it():
    for lecture in read_lectures(ROOT / "lectures.yaml"):
        for claim in lecture.claims:
            assert claim.says.endswith(".")
            assert any(w in claim.test.lower() for w in ("holds", "refuted", "means")), claim.id


def test_05_1_falls_at_every_epoch(made):
    made.training("perceptron", train_loss=[falling(20), falling(20)])
    assert word(made, "05-1") == HOLDS
    risen = falling(20)
    risen[7] = risen[6] + 1e-9
    made.training("perceptron", train_loss=[falling(20), risen])
    assert word(made, "05-1") == REFUTED
    made.training("perceptron", train_loss=[falling(20, by=0.1)])
    assert word(made, "05-1") == IN_PART  # it falls, and not slowly


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [(0.13, 0.0, HOLDS), (0.13, 0.1, IN_PART), (0.3, 0.1, REFUTED)],
)
def test_05_2_twelve_and_nothing(made, train, test, expected):
    made.training("perceptron", train_accuracy=[[train] * 20], test_accuracy=[[test] * 20])
    assert word(made, "05-2") == expected


def test_05_2_other_images_decide_only_what_they_can(made):
    made.images("photos", real=False)
    made.training("perceptron", train_accuracy=[[0.125] * 20], test_accuracy=[[0.1] * 20])
    assert word(made, "05-2") == REFUTED
    made.training("perceptron", train_accuracy=[[0.125] * 20], test_accuracy=[[0.0] * 20])
    assert word(made, "05-2") == HOLDS


def test_05_3_two_hundred_epochs(made):
    for reached, expected in ((0.11, HOLDS), (0.25, REFUTED)):
        made.exercise("perceptron", rate_10=(1, "test_accuracy", [[reached] * 200]))
        assert word(made, "05-3") == expected
    made.exercise("perceptron", rate_10=(1, "test_accuracy", [[0.11] * 199]))
    assert word(made, "05-3") == UNTESTED
    made.exercise("perceptron")
    assert word(made, "05-3") == UNTESTED


def test_05_4_the_best_rate(made):
    def losses(low, ours, high):
        return {
            "rate_0p001": (1, "train_loss", [[low] * 5]),
            "rate_10": (1, "train_loss", [[ours] * 5]),
            "rate_100": (1, "train_loss", [[high] * 5]),
        }

    for values, expected in (
        ((0.3, 0.1, 0.2), HOLDS), ((0.3, 0.2, 0.1), IN_PART), ((0.1, 0.2, 0.1), REFUTED)
    ):  # fmt: skip
        made.exercise("perceptron", **losses(*values))
        assert word(made, "05-4") == expected


def test_25_1_the_order(made):
    for name, first in (("adam", 0.914), ("momentum", 0.202), ("sgd", 0.115)):
        made.training(f"optimizers@{name}", test_accuracy=[[first]])
    assert word(made, "25-1") == HOLDS
    made.training("optimizers@sgd", test_accuracy=[[0.5]])
    assert word(made, "25-1") == IN_PART
    made.images("digits", real=False)
    assert word(made, "25-1") == REFUTED


def test_25_2_a_thousand_epochs(made):
    adam = (1, "test_accuracy", [[0.8, 0.9]])
    for needed, epochs, expected in (
        (500, 1000, HOLDS), (50, 1000, REFUTED), (None, 1000, UNTESTED), (None, 3000, REFUTED)
    ):  # fmt: skip
        sgd = np.full(epochs, 0.5)
        if needed:
            sgd[needed - 1 :] = 0.95
        made.exercise("sgd", Adam=adam, SGD=(1, "test_accuracy", [sgd]))
        assert word(made, "25-2") == expected, (needed, epochs)
    made.exercise("sgd")
    assert word(made, "25-2") == UNTESTED


def test_25_3_small_batches(made):
    def reached(sgd, own, adam):
        values = {"SGD_{}": sgd, "SGD_{},_own_rate": own, "Adam_{}": adam}
        return {
            name.format(size): (1, "test_accuracy", [[value]])
            for name, value in values.items()
            for size in (10, 16)
        }

    for values, expected in (
        ((0.9, 0.9, 0.8), HOLDS), ((0.1, 0.9, 0.8), IN_PART), ((0.1, 0.7, 0.8), REFUTED)
    ):  # fmt: skip
        made.exercise("batch_sizes", **reached(*values))
        assert word(made, "25-3") == expected


def test_25_4_momentum_or_rate(made):
    def reached(sgd, momentum, larger):
        return {
            "SGD": (1, "test_accuracy", [[sgd]]),
            "momentum": (1, "test_accuracy", [[momentum]]),
            "larger_rate": (1, "test_accuracy", [[larger]]),
        }

    for values, expected in (
        ((0.1, 0.5, 0.4), HOLDS), ((0.1, 0.5, 0.5), IN_PART), ((0.5, 0.1, 0.5), REFUTED)
    ):  # fmt: skip
        made.exercise("momentum", **reached(*values))
        assert word(made, "25-4") == expected


def test_a_verdict_names_files_that_are_there(made):
    made.training("perceptron", train_loss=[falling(20)])
    for file in RULES["05-1"](made.evidence()).files:
        assert (made.root / file).exists()
