"""The rules of lecture 5, on outs that were made up for them."""

from __future__ import annotations

import numpy as np
import pytest

from dlvc.report.verdict import HOLDS, IN_PART, REFUTED, UNDECIDED, UNTESTED
from tests.dlvc.report.made_up import marks, verdict, word

SEEDS = np.array([[-1.0], [0.0], [1.0]])  # times a spread: three seeds
TEN = np.linspace(-1, 1, 10)[:, None]  # ten seeds, with a standard deviation of 0.673
PRINTED = np.array([0.00141397105187, 0.00141284536377])  # losses of the first two epochs


def falling(epochs, by=0.001):
    return (1 - by) ** np.arange(epochs)


def losses(epochs=20, by=0.001, scaled=PRINTED):
    """Curves of ten seeds; `scaled` are their mean first losses."""
    on_scale = np.full((10, epochs), 0.0014)
    on_scale[:, :2] = scaled + 1e-5 * TEN
    loss = falling(epochs, by) * np.ones((10, 1))
    return {"train_loss": loss, "train_loss_lecture_scale": on_scale}


def test_05_1_falls_slowly_to_the_printed_losses(made):
    made.training("perceptron", **losses())
    assert marks(made, "05-1") == "✓✓✓"
    made.training("perceptron", **losses(by=0.02))
    assert marks(made, "05-1") == "✓✗✓"
    risen = losses()
    risen["train_loss"][1, 7] = risen["train_loss"][1, 6] + 1e-9
    made.training("perceptron", **risen)
    assert marks(made, "05-1") == "✗–✓"


def test_05_1_one_printed_loss_outside_of_its_interval_refutes_the_curve(made):
    made.training("perceptron", **losses(scaled=PRINTED + np.array([0, 2e-4])))
    found = verdict(made, "05-1").parts[2]
    assert not found.holds
    assert "1 of 2 printed values" in found.found
    made.training("perceptron", **losses(scaled=PRINTED + np.array([0, 1e-5])))
    assert verdict(made, "05-1").parts[2].holds


def test_05_1_printed_losses_need_the_lectures_images_and_three_seeds(made):
    made.training("perceptron", **{name: rows[:2] for name, rows in losses().items()})
    assert marks(made, "05-1") == "✓✓–"
    made.training("perceptron", **losses())
    made.images("photos", real=False)
    assert marks(made, "05-1") == "✓✓–"
    made.training("perceptron", train_loss=[[1.0]])  # one epoch
    assert word(made, "05-1") == UNTESTED


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [(0.13, 0.0, HOLDS), (0.13, 0.1, IN_PART), (0.3, 0.1, REFUTED), (0.3, 0.009, IN_PART)],
)
def test_05_2_twelve_and_nothing(made, train, test, expected):
    around = np.tile(train + 0.01 * TEN, 20)
    made.training("perceptron", train_accuracy=around, test_accuracy=np.full((10, 20), test))
    assert word(made, "05-2") == expected


def test_05_2_the_interval_is_that_of_one_more_seed(made):
    """4.303 sqrt(4 / 3) = 4.97 standard deviations of three seeds, and 2.37 of ten."""
    for seeds, away, mark in (
        (SEEDS, 0.048, "–"), (SEEDS, 0.051, "✗"), (TEN, 0.0157, "✓"), (TEN, 0.0162, "✗")
    ):  # fmt: skip
        around = np.tile(0.125 - away + 0.01 * seeds, 20)
        made.training("perceptron", train_accuracy=around, test_accuracy=np.zeros_like(around))
        assert marks(made, "05-2") == f"{mark}✓"


def test_05_2_one_seed_above_one_percent_refutes_the_second_half(made):
    test = np.zeros((3, 20))
    test[2] = 0.02
    made.training("perceptron", test_accuracy=test)
    assert marks(made, "05-2")[1] == "✗"


def test_05_2_other_images_few_seeds_and_few_epochs_decide_only_what_they_can(made):
    around = {"train_accuracy": np.tile(0.125 + 0.01 * SEEDS, 20)}
    made.training("perceptron", **around, test_accuracy=np.zeros((3, 20)))
    made.images("photos", real=False)
    assert marks(made, "05-2") == "–✓"
    made.images("photos", real=True)
    made.training("perceptron", train_accuracy=[[0.125] * 20], test_accuracy=[[0.1] * 20])
    assert marks(made, "05-2") == "–✗"
    made.training("perceptron", train_accuracy=np.full((3, 19), 0.125))
    assert marks(made, "05-2") == "––"


def after_200(around, epochs=200):
    return {"rate_10": (1, "test_accuracy", np.tile(around + 0.01 * SEEDS, epochs))}


def test_05_3_above_chance_after_two_hundred_epochs(made):
    """Three seeds with a standard deviation of one point: an interval of 2.5 points each way."""
    for around, expected in ((0.13, HOLDS), (0.11, UNDECIDED), (0.07, REFUTED)):
        made.exercise("perceptron", **after_200(around))
        assert word(made, "05-3") == expected
    made.exercise("perceptron", **after_200(0.176))
    found = verdict(made, "05-3").parts[0].found
    assert "the mean is +5.60 points from 12 %" in found


def test_05_3_is_not_tested_by_other_images_one_seed_or_fewer_epochs(made):
    made.exercise("perceptron", **after_200(0.3, 199))
    assert word(made, "05-3") == UNTESTED
    made.exercise("perceptron", rate_10=(1, "test_accuracy", [[0.3] * 200]))
    assert word(made, "05-3") == UNTESTED
    made.exercise("perceptron")
    assert word(made, "05-3") == UNTESTED
    made.exercise("perceptron", **after_200(0.3))
    assert word(made, "05-3") == HOLDS
    made.images("photos", real=False)
    assert word(made, "05-3") == UNTESTED


def rates(early, late, epochs=200, spread=0.001, seeds=3):
    """Losses at 0.001, 10 and 100 in the first and in the last epochs; the seeds move together."""
    names = ("rate_0p001", "rate_10", "rate_100")
    return {
        name: (
            1,
            "train_loss",
            np.repeat([[a, b]], [100, epochs - 100], axis=1) + spread * SEEDS[:seeds],
        )
        for name, a, b in zip(names, early, late, strict=True)
    }


def test_05_4_compares_the_same_seeds_after_20_and_after_200_epochs(made):
    """The seeds differ by more than the rates, and each rate has the same seeds."""
    made.exercise("perceptron", **rates((0.3, 0.2, 0.25), (0.3, 0.2, 0.1), spread=1))
    assert marks(made, "05-4") == "✓✓✓✗"
    parts = verdict(made, "05-4").parts
    assert [part.statement for part in parts] == [
        f"after {epochs} epochs, a rate of 10 is better than {rate}"
        for epochs in (20, 200)
        for rate in ("0.001", "100")
    ]
    assert parts[0].found.endswith("the best of the 3 rates is 10")
    assert parts[2].found.endswith("the best of the 3 rates is 100")
    made.exercise("perceptron", **rates((0.1, 0.2, 0.1), (0.1, 0.2, 0.1)))
    assert word(made, "05-4") == REFUTED


def test_05_4_chance_leaves_it_undecided(made):
    made.exercise(
        "perceptron",
        rate_10=(1, "train_loss", np.full((3, 200), 0.2)),
        rate_100=(1, "train_loss", np.tile(0.21 + 0.01 * SEEDS, 200)),
    )
    assert word(made, "05-4") == UNDECIDED


def test_05_4_a_rate_that_diverges_is_worse(made):
    trainings = rates((0.3, 0.2, 0.1), (0.3, 0.2, 0.1))
    trainings["rate_100"] = (1, "train_loss", np.full((2, 200), 0.1))
    diverged = [{"training": "rate 100", "seed": 2}, {"training": "rate 1000", "seed": 0}]
    made.exercise("perceptron", diverged=diverged, **trainings)
    assert marks(made, "05-4") == "✓✓✓✓✓✓"
    parts = verdict(made, "05-4").parts
    assert [parts[position].found for position in (1, 2, 4, 5)] == [
        "a training at the other rate diverged"
    ] * 4
    made.exercise(
        "perceptron",
        diverged=[{"training": "rate 10", "seed": 0}],
        rate_100=(1, "train_loss", np.full((3, 200), 0.1)),
    )
    assert word(made, "05-4") == REFUTED


def test_05_4_a_training_that_diverges_later_has_its_losses_before(made):
    trainings = rates((0.3, 0.2, 0.1), (0.3, 0.2, 0.1))
    trainings["rate_100"] = (1, "train_loss", np.full((3, 150), 0.1))
    diverged = [{"training": "rate 100", "seed": seed} for seed in range(3)]
    made.exercise("perceptron", diverged=diverged, **trainings)
    assert marks(made, "05-4") == "✓✗✓✓"


def test_05_4_needs_two_seeds_the_epochs_and_the_rate(made):
    made.exercise("perceptron", **rates((0.3, 0.2, 0.3), (0.3, 0.2, 0.3), seeds=1))
    assert marks(made, "05-4") == "––––"
    made.exercise("perceptron", **rates((0.3, 0.2, 0.3), (0.3, 0.2, 0.3), epochs=199))
    assert marks(made, "05-4") == "✓✓–"
    made.exercise("perceptron", rate_100=(1, "train_loss", np.full((3, 200), 0.1)))
    assert word(made, "05-4") == UNTESTED
    made.exercise("perceptron")
    assert word(made, "05-4") == UNTESTED


def test_05_5_the_accuracy_increases(made):
    def trained(gain, epochs=20, seeds=3):
        accuracy = np.full((seeds, epochs), 0.1)
        accuracy[:, -1] += gain + 0.01 * SEEDS[:seeds, 0]
        made.training("perceptron", train_accuracy=accuracy)
        return word(made, "05-5")

    assert trained(0.03) == HOLDS
    assert trained(0.02) == UNDECIDED  # its interval reaches 2.5 points down
    assert trained(-0.03) == REFUTED
    assert trained(0.03, seeds=1) == UNTESTED
    assert trained(0.03, epochs=19) == UNTESTED


def test_verdicts_name_files_that_are_there(made):
    made.training("perceptron", **losses())
    for exercise in ({}, after_200(0.13)):
        made.exercise("perceptron", **exercise)
        for claim in ("05-1", "05-2", "05-3", "05-4", "05-5"):
            for file in verdict(made, claim).files:
                assert (made.root / file).exists()
