"""The rules of lecture 40, on outs that were made up for them."""

from __future__ import annotations

import numpy as np
import pytest

from dlvc.evidence.curves import Curve
from dlvc.report.rules.densenet import changes, significant_falls
from dlvc.report.verdict import HOLDS, IN_PART, REFUTED, UNDECIDED, UNTESTED
from tests.dlvc.report.made_up import verdict, word

LECTURE = [0.5927, 0.7402, 0.7774, 0.7650, 0.8475, 0.8390, 0.8513, 0.8426, 0.8543, 0.8606]


def holds(made, claim):
    """The parts of a claim's verdict: True, False, or None if one is not tested or undecided."""
    return [part.holds for part in verdict(made, claim).parts]


def rows(accuracy, test_loss=0.5, train_loss=0.4, train_accuracy=0.9):
    """The rows of a training on a GPU."""
    columns = np.broadcast_arrays(accuracy, test_loss, train_loss, train_accuracy)
    return [
        {
            "mode": "graph", "epoch": number + 1, "test_accuracy": a, "test_loss": loss,
            "train_loss_after": trained, "train_accuracy_after": right,
            "train_loss_lecture_scale": 0.01,
        }
        for number, (a, loss, trained, right) in enumerate(zip(*columns, strict=True))
    ]  # fmt: skip


def test_40_1_counted(made):
    made.costs(DenseNet_121=(7_978_856, 1))
    assert word(made, "40-1") == HOLDS
    made.costs(DenseNet_121=(7_978_857, 1))
    assert word(made, "40-1") == REFUTED


@pytest.mark.parametrize(("theirs", "expected"), [(0.861, True), (0.90, False), (0.875, None)])
def test_40_2_the_accuracy_of_a_residual_network(made, theirs, expected):
    made.costs(DenseNet_121=(50, 1), ResNet_18=(100, 1))
    made.gpu("bfloat16", seed_40=rows(LECTURE))
    made.gpu("resnet", seed_40=rows([0.5] * 9 + [theirs]))
    assert holds(made, "40-2") == [True, expected]


def test_40_2_needs_the_lectures_epochs_and_size(made):
    made.costs(DenseNet_121=(68, 1), ResNet_18=(100, 1))
    made.training("densenet", test_accuracy=[LECTURE])
    made.exercise("resnet", ResNet_18=(1, "test_accuracy", [LECTURE]))
    assert holds(made, "40-2") == [False, None]
    made.gpu("bfloat16", seed_40=rows(LECTURE[:9]))
    made.gpu("resnet", seed_40=rows(LECTURE))
    assert holds(made, "40-2") == [False, None]


def curve_of(accuracy, **columns):
    return Curve("", 40, {"epoch": np.arange(10), "test_accuracy": np.array(accuracy), **columns})


def test_40_3_independent_answers():
    """The lecture's accuracy falls in epochs 4, 6 and 8, with p-values of 0.036, 0.1 and 0.087."""
    assert significant_falls(curve_of(LECTURE), 10_000) == []
    assert significant_falls(curve_of(LECTURE), 40_000) == [4, 6, 8]
    fallen = [0.9, 0.7, 0.85, 0.83, 0.85, 0.839, 0.85, 0.84, 0.85, 0.85]
    assert significant_falls(curve_of(fallen), 10_000) == [4]  # the others after the correction


def test_40_3_answers_to_the_same_images_show_smaller_falls():
    """The lecture's sixth epoch has 85 right answers less than the fifth."""
    for others, expected in ((0, [4, 6, 8]), (100, [4, 6, 8]), (900, [4]), (3000, [])):
        lost = np.round(10_000 * np.maximum(0, -np.diff(LECTURE, prepend=0))) + others
        gained = np.round(10_000 * np.maximum(0, np.diff(LECTURE, prepend=0))) + others
        found = significant_falls(curve_of(LECTURE, lost=lost, gained=gained), 10_000)
        assert found == expected, others


def test_40_3_oscillating(made):
    steady = np.linspace(0.59, 0.86, 10)
    falling = [*steady[:6], 0.70, *steady[7:]]
    for curves, expected in (
        ([falling], True), ([steady], False), ([falling, steady], False)
    ):  # fmt: skip
        units = {f"seed_{40 + n}": rows(curve) for n, curve in enumerate(curves)}
        made.gpu("bfloat16", **units)
        assert holds(made, "40-3") == [None, expected]  # two seeds have no prediction interval
    made.gpu("bfloat16", seed_40=rows(falling[:9]))
    assert word(made, "40-3") == UNTESTED


def test_40_3_the_printed_accuracies(made):
    made.params["densenet.image_size"] = 224
    noise = np.random.default_rng(1).normal(0, 0.02, (10, 10))
    made.training("densenet", test_accuracy=LECTURE + noise)
    assert holds(made, "40-3")[0] is True
    made.training("densenet", test_accuracy=np.array(LECTURE) - 0.2 + noise)
    assert holds(made, "40-3")[0] is False
    made.images("photos", real=False)
    assert word(made, "40-3") == UNTESTED


def test_40_4_the_test_loss(made):
    for train, expected in ((0.4, HOLDS), ([0.6] + [0.4] * 9, IN_PART), (0.6, REFUTED)):
        made.gpu("bfloat16", seed_40=rows(LECTURE, train_loss=train))
        assert word(made, "40-4") == expected


def test_40_4_needs_losses_in_evaluation_mode(made):
    made.training("densenet", train_loss=[[1] * 10], test_loss=[[2] * 10])
    for claim in ("40-4", "40-9", "40-10"):
        assert word(made, claim) == UNTESTED
        assert "benchmarks.gpu" in verdict(made, claim).parts[0].found
    # The pipeline's own training does not have them at the lecture's size, either.
    made.params["densenet.image_size"] = 224
    made.gpu("bfloat16", seed_40=rows(LECTURE))
    assert word(made, "40-4") != UNTESTED


def test_40_5_intensity_and_shade(made):
    made.training("densenet", test_accuracy=[LECTURE])
    rng = np.random.default_rng(3)
    before = rng.standard_normal((64, 7, 7, 3))
    gray = rng.standard_normal((64, 7, 7, 1)) * np.ones(3)
    colour = rng.standard_normal((64, 7, 7, 3))
    colour -= colour.mean(-1, keepdims=True)
    for change, expected in (
        (0.2 * gray, HOLDS),  # mostly at right angles to a kernel: its length hardly changes
        (0.2 * (gray + colour), REFUTED),
        (0.2 * colour, REFUTED),
    ):
        made.array("results/densenet/conv0.npy", [before, before + change])
        assert word(made, "40-5") == expected
    made.gpu("bfloat16", seed_40=rows(LECTURE))
    made.gpu("seeds", seed_41=rows(LECTURE))
    for step, seed, change in (("bfloat16", 40, gray), ("seeds", 41, gray + colour)):
        made.array(f"docs/gpu/{step}_conv0_seed{seed}.npy", [before, before + change])
    assert word(made, "40-5") == REFUTED  # for one of two seeds


def test_40_5_a_random_change_is_the_same_share_of_both():
    rng = np.random.default_rng(4)
    before, change = rng.standard_normal((2, 640, 7, 7, 3))
    intensities, shades = changes(before, before + 0.1 * change)
    assert intensities == pytest.approx(0.1, abs=0.005)
    assert shades == pytest.approx(0.1, abs=0.005)


def test_40_6_the_memory_and_its_reason(made):
    few, many = 1_000_000, 3_000_000
    for ours, theirs, expected in (
        ((few, 500_000), (many, 500_000), [True, True]),
        ((few, 50_000_000), (many, 500_000), [False, False]),
        ((few, 50_000_000), (many, 80_000_000), [True, False]),
    ):
        made.costs(DenseNet_121=ours, VGG_16=theirs)
        assert holds(made, "40-6") == expected
    # What was measured counts more than what was counted, if both models were measured.
    rows_of = {
        "DenseNet-121": {"peak_memory": 5, "activation_memory": 3},
        "VGG-16": {"peak_memory": 4, "activation_memory": 2},
    }
    made.gpu("memory", **{name: [row] for name, row in rows_of.items()})
    assert holds(made, "40-6") == [False, False]
    made.gpu("memory", **{"DenseNet-121": [rows_of["DenseNet-121"]]})
    assert holds(made, "40-6") == [True, False]


def test_40_6_says_what_the_difference_consists_of(made):
    made.costs(DenseNet_121=(1_000_000, 1), VGG_16=(5_000_000, 1))
    rows_of = {
        "DenseNet-121": (4_180_000_000, 4_380_000_000),
        "VGG-16": (2_330_000_000, 6_530_000_000),
    }
    made.gpu(
        "memory",
        **{n: [{"activation_memory": a, "peak_memory": p}] for n, (a, p) in rows_of.items()},
    )
    found = verdict(made, "40-6").parts[1].found
    assert "2.15 GB" in found
    assert "make up +0.06 GB (counted, 4 numbers per parameter), activations -1.85 GB" in found
    assert "temporary, +3.94 GB" in found


def test_40_7_the_time_of_an_update(made):
    assert word(made, "40-7") == UNTESTED
    seconds = {"DenseNet-121": 3, "ResNet-18": 1, "ResNet-34": 2, "ResNet-50": 4, "VGG-16": 5}

    def timed(*turns):
        units = {
            f"turn {turn + 1}, {name}": [{"mode": "graph", "seconds_of_update": each * factor}]
            for turn, factor in enumerate(turns)
            for name, each in seconds.items()
        }
        made.gpu("models", **units)
        return holds(made, "40-7")

    assert timed(1, 2, 1.1) == [False, False, True, True]  # the machine is slower in a turn
    assert timed(1, 2) == [None]
    seconds["ResNet-18"] = 3
    assert timed(1, 2, 1.1)[0] is None  # as fast as DenseNet-121


def test_40_8_the_activations(made):
    larger = {"ResNet_18": (2, 10), "ResNet_34": (2, 30), "ResNet_50": (2, 40), "VGG_16": (2, 20)}
    made.costs(DenseNet_121=(1, 25), **larger)
    assert holds(made, "40-8") == [False, True, True, False]


@pytest.mark.parametrize(("trained", "expected"), [([0.61, 0.99], True), ([0.61, 0.88], False)])
def test_40_9_the_training_accuracy_runs_away(made, trained, expected):
    made.gpu("bfloat16", seed_40=rows([0.60, 0.86], train_accuracy=trained))
    assert holds(made, "40-9") == [expected, None]  # not after ten epochs
    assert UNDECIDED not in word(made, "40-9")


@pytest.mark.parametrize(("test", "expected"), [(0.7, True), (0.9, False)])
def test_40_10_the_test_loss_comes_down_faster(made, test, expected):
    losses = {"train_loss": [1.0, 0.2, 0.4], "test_loss": [1.4, 0.3, test]}  # 0.6 less
    made.gpu("bfloat16", seed_40=rows([0.6, 0.7, 0.8], **losses))
    assert holds(made, "40-10") == [expected, None]  # not after ten epochs
    made.gpu("seeds", seed_41=rows([0.6, 0.7, 0.8], **(losses | {"test_loss": [1.4, 0.3, 0.9]})))
    assert holds(made, "40-10")[0] is False  # for one of two seeds
