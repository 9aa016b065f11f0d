"""Each rule, on outs that were made up for it: what confirms the claim, and what refutes it."""

from __future__ import annotations

import numpy as np
import pytest

from dlvc.evidence.lectures import read_lectures
from dlvc.report.judge import RULES
from dlvc.report.rules.lenet import gradient_share
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


def test_24_1_smooth_and_to_forty_six(made):
    loss = falling(10)
    path = np.linspace(0.10, 0.46, 10)
    made.training("update_rules@per_epoch", train_loss=[loss], test_accuracy=[path])
    assert word(made, "24-1") == HOLDS
    made.training("update_rules@per_epoch", train_loss=[loss], test_accuracy=[path / 2])
    assert word(made, "24-1") == IN_PART
    made.images("digits", real=False)
    assert word(made, "24-1") == HOLDS  # its figures decide nothing now
    made.training("update_rules@per_epoch", train_loss=[loss[::-1]], test_accuracy=[path])
    assert word(made, "24-1") == REFUTED


@pytest.mark.parametrize(
    ("claim", "stage", "slower", "good"),
    [("24-2", "per_batch", {"per_batch": 1.1, "per_epoch": 1.0}, 0.927),
     ("24-3", "per_sample", {"per_sample": 30.0, "per_batch": 1.0}, 0.9601)],
)  # fmt: skip
def test_24_2_and_3_time_and_accuracy(made, claim, stage, slower, good):
    for rule, seconds in slower.items():
        made.times["lecture"][rule]["seconds"] = seconds
    made.training(f"update_rules@{stage}", test_accuracy=[[good] * 3])
    assert word(made, claim) == HOLDS
    made.training(f"update_rules@{stage}", test_accuracy=[[good - 0.05] * 3])
    assert word(made, claim) == IN_PART
    made.times["lecture"][stage]["seconds"] = 1000.0
    assert word(made, claim) == REFUTED


def test_24_4_as_many_updates(made):
    once = np.linspace(0, 0.9, 600)
    for often, expected in (([0.5, 0.895], HOLDS), ([0.5, 0.95], REFUTED)):
        made.exercise(
            "per_epoch",
            per_epoch=(1, "test_accuracy", [once]),
            per_batch=(300, "test_accuracy", [often]),
        )
        assert word(made, "24-4") == expected
    made.exercise("per_epoch")
    assert word(made, "24-4") == UNTESTED


def test_24_5_time_to_ninety_six(made):
    made.times["lecture"] = {
        rule: {"seconds": seconds}
        for rule, seconds in (("per_epoch", 1.0), ("per_batch", 1.0), ("per_sample", 32.0))
    }
    made.training("update_rules@per_batch", test_accuracy=[[0.9, 0.95, 0.95, 0.97]])
    made.training("update_rules@per_sample", test_accuracy=[[0.97, 0.97]])
    assert word(made, "24-5") == HOLDS  # 32 beside 4 seconds
    made.training("update_rules@per_batch", test_accuracy=[[0.97, 0.97]])
    assert word(made, "24-5") == REFUTED  # 32 beside 1
    made.training("update_rules@per_batch", test_accuracy=[[0.9, 0.9]])
    assert word(made, "24-5") == UNTESTED


def test_24_6_jitter(made):
    rng = np.random.default_rng(1)
    for rule in ("per_sample", "per_batch"):
        made.training(f"update_rules@{rule}", test_accuracy=[[0.5, 0.5]])
    calm, wild = 1 + 0.01 * rng.random(200), rng.random(200)
    for sample, batch, expected in ((wild, calm, HOLDS), (calm, wild, REFUTED)):
        made.array("results/update_rules/per_sample/update_losses.npy", sample)
        made.array("results/update_rules/per_batch/update_losses.npy", batch)
        assert word(made, "24-6") == expected


def test_24_7_over_fitting(made):
    down, up = [0.9, 0.97, 0.96], [0.9, 0.95, 0.97]
    noisy = [0.9, 0.97, 0.9675]  # 25 of 10,000 images; twice the standard error are 34
    loss, rising, hardly = [0.3, 0.2, 0.1], [0.3, 0.1, 0.2], [0.3, 0.1, 0.105]
    for accuracy, test_loss, expected in (
        (down, rising, HOLDS), (down, loss, IN_PART), (up, rising, IN_PART), (up, loss, REFUTED),
        (noisy, hardly, REFUTED),
    ):  # fmt: skip
        made.training(
            "update_rules@per_sample",
            test_accuracy=[accuracy], test_loss=[test_loss], train_loss=[loss],
        )  # fmt: skip
        assert word(made, "24-7") == expected


def test_24_8_a_lower_rate(made):
    def reached(low, high):
        return {
            "rate_0p01": (1, "test_accuracy", [[low]]), "rate_0p1": (1, "test_accuracy", [[high]])
        }  # fmt: skip

    made.exercise("per_sample", **reached(0.96, 0.2))
    assert word(made, "24-8") == HOLDS
    made.exercise("per_sample", **reached(0.96, 0.955))
    assert word(made, "24-8") == REFUTED
    made.exercise(
        "per_sample", diverged=[{"training": "rate 0.1", "seed": 1}],
        rate_0p01=(1, "test_accuracy", [[0.96]]),
    )  # fmt: skip
    assert word(made, "24-8") == HOLDS


def test_24_9_as_counted(made):
    made.costs()
    assert word(made, "24-9") == HOLDS


def test_29_1_to_ninety_seven(made):
    path, loss = np.linspace(0.88, 0.975, 10), falling(10)
    made.training("lenet", test_accuracy=[path], train_loss=[loss])
    assert word(made, "29-1") == HOLDS
    dip = path.copy()
    dip[5] = dip[4] - 0.001
    made.training("lenet", test_accuracy=[path, dip], train_loss=[loss, loss])
    assert word(made, "29-1") == IN_PART
    made.training("lenet", test_accuracy=[dip - 0.3], train_loss=[loss])
    assert word(made, "29-1") == REFUTED


def test_29_2_better_than_fully_connected(made):
    made.training("optimizers@adam", test_accuracy=[[0.94], [0.95]])
    for ours, expected in (
        ([[0.97], [0.96]], HOLDS), ([[0.97], [0.945]], IN_PART), ([[0.9], [0.9]], REFUTED)
    ):  # fmt: skip
        made.training("lenet", test_accuracy=ours)
        assert word(made, "29-2") == expected


def gradient_kernels():
    axis = np.arange(5) - 2
    smooth = np.exp(-(axis**2) / 2)
    return np.stack([np.outer(smooth, axis * smooth)] * 6)


def test_29_3_gradient_operators(made):
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((6, 5, 5))
    made.array("results/lenet/conv1.npy", [noise, 2 * noise])
    for after, expected in ((gradient_kernels(), HOLDS), (noise, IN_PART)):
        made.exercise("lenet", LeNet=(1, "test_accuracy", [[0.9]]))
        made.array("results/claims/lenet/conv1.npy", [[noise, after]])
        assert word(made, "29-3") == expected
    made.array("results/lenet/conv1.npy", [noise, 1.001 * noise])
    assert word(made, "29-3") == REFUTED


def test_a_gradient_operator_is_one_in_any_direction_and_noise_is_none():
    rng = np.random.default_rng(2)
    x = gradient_kernels()[0]
    turned = np.cos(0.7) * x + np.sin(0.7) * x.T
    np.testing.assert_allclose(gradient_share(np.stack([x, -3 * x + 5, turned])), 1)
    noise = rng.standard_normal((20_000, 5, 5))
    assert abs(gradient_share(noise).mean() - 2 / 24) < 0.005


def test_29_4_the_first_linear_layer_depends_on_the_size(made):
    made.costs()
    assert word(made, "29-4") == IN_PART


def test_a_verdict_names_files_that_are_there(made):
    made.training("perceptron", train_loss=[falling(20)])
    for file in RULES["05-1"](made.evidence()).files:
        assert (made.root / file).exists()
