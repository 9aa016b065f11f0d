"""The rules of lecture 25, on outs that were made up for them."""

from __future__ import annotations

import numpy as np
import pytest

from dlvc.report.verdict import HOLDS, IN_PART, REFUTED, UNDECIDED, UNTESTED
from tests.dlvc.report.made_up import marks, verdict, word

STEPS = np.array([-1.0, 0.0, 1.0])  # times a spread: three seeds
STAGES = ("adam", "momentum", "sgd")
BETTER, WORSE = (0.9, 0.97), (0.95, 0.6)  # accuracies at two rates


def optimizers(made, last, seeds=10, epochs=10, spread=0.001):
    """Curves with the lecture's values in epochs 1 and 2, and the accuracies `last` after that."""
    printed = made.evidence().printed
    for name, reached in zip(STAGES, last, strict=True):
        curves = {}
        for metric, end in (("train_loss", 0.1), ("test_accuracy", reached)):
            values = printed[f"optimizers@{name}"][metric]
            path = np.array([values[1], values[2], *[end] * 8])[:epochs]
            curves[metric] = path + spread * np.linspace(-1, 1, seeds)[:, None]
        made.training(f"optimizers@{name}", **curves)


def test_25_1_the_order_and_the_printed_curves(made):
    optimizers(made, (0.96, 0.9, 0.7))
    assert marks(made, "25-1") == "✓✓✓✓" + "✓" * 6
    optimizers(made, (0.8, 0.9, 0.95))
    assert marks(made, "25-1") == "✓✗✓✗" + "✓" * 6
    statements = [part.statement for part in verdict(made, "25-1").parts]
    assert statements[1] == "Adam is above momentum after 10 epochs"
    assert statements[2] == "momentum is above SGD after 1 epoch"
    assert statements[8] == "the printed training losses of SGD may be those of one more seed"


def test_25_1_each_seed_is_compared_with_the_next_one_of_the_other_optimizer(made):
    optimizers(made, (0.96, 0.9, 0.7), seeds=3)
    momentum = 0.2 + 0.1 * STEPS

    def ten_epochs(accuracies):
        return np.repeat(accuracies[:, None], 10, axis=1)

    made.training("optimizers@momentum", test_accuracy=ten_epochs(momentum))
    for accuracies, mark in (
        (np.roll(momentum, 1) - 0.1, "✓"),  # always 0.1 less than the seed before
        (momentum - 0.1, "?"),  # always 0.1 less than the same seed
        (np.roll(momentum, 1) + 0.1, "✗"),
    ):
        made.training("optimizers@sgd", test_accuracy=ten_epochs(accuracies))
        assert marks(made, "25-1")[:4] == "✓✓" + 2 * mark


def test_25_1_a_printed_value_outside_of_its_interval_refutes_its_curve(made):
    optimizers(made, (0.96, 0.9, 0.7), seeds=3)
    printed = made.evidence().printed["optimizers@adam"]["train_loss"]
    away = np.array([[printed[1], printed[2] + 0.03, *[0.1] * 8]]) + 0.001 * STEPS[:, None]
    made.training("optimizers@adam", train_loss=away, test_accuracy=np.full((3, 10), 0.9))
    assert marks(made, "25-1")[4] == "✗"


def test_25_1_few_seeds_few_epochs_and_other_images(made):
    optimizers(made, (0.96, 0.9, 0.7), seeds=1)
    assert word(made, "25-1") == UNTESTED
    optimizers(made, (0.96, 0.9, 0.7), epochs=9)
    assert marks(made, "25-1") == "✓–✓–" + "✓" * 6
    made.images("digits", real=False)
    assert marks(made, "25-1") == "✓–✓–" + "–" * 6


def long_trainings(made, needed, last=0.5, epochs=1000, adam_epochs=10, images=60_000):
    """Curves: Adam reaches 90 %. SGD does after `needed` epochs, or it ends with `last`."""
    sgd = np.full(epochs, last)
    if needed:
        sgd[needed - 1 :] = 0.95
    adam = [[0.8] * (adam_epochs - 1) + [0.9]]
    made.exercise(
        "sgd", images=images, Adam=(1, "test_accuracy", adam), SGD=(1, "test_accuracy", [sgd])
    )


@pytest.mark.parametrize(
    ("needed", "last", "expected"),
    [
        (300, 0.5, HOLDS), (1000, 0.5, HOLDS), (299, 0.5, REFUTED), (1, 0.5, REFUTED),
        (None, 0.896, HOLDS), (None, 0.894, REFUTED),
    ],
)  # fmt: skip
def test_25_2_a_thousand_epochs(made, needed, last, expected):
    long_trainings(made, needed, last)
    assert word(made, "25-2") == expected


def test_25_2_what_comes_after_a_thousand_epochs_does_not_count(made):
    long_trainings(made, 1001, 0.5, epochs=3000)
    assert word(made, "25-2") == REFUTED


def test_25_2_is_not_tested_on_fewer_or_other_images_or_with_fewer_epochs(made):
    for fewer in ({"images": 6000}, {"epochs": 999}, {"adam_epochs": 9}):
        long_trainings(made, 500, **fewer)
        assert word(made, "25-2") == UNTESTED, fewer
    made.exercise("sgd")
    assert word(made, "25-2") == UNTESTED
    long_trainings(made, 500)
    made.images("digits", real=False)
    assert word(made, "25-2") == UNTESTED


def on_gpu(made, needed, hundredths=10):
    """The epochs that `benchmarks.gpu` writes: the first ten, and every hundredth up to 1,000."""

    def rows(epochs, accuracy):
        return [{"mode": "graph", "epoch": n, "test_accuracy": accuracy(n)} for n in epochs]

    sgd = [*range(1, 11), *range(100, 100 * hundredths + 1, 100)]
    trainings = {
        "Adam,_seed_25": rows(range(1, 11), lambda n: 0.8 + n / 100),
        "SGD,_seed_25": rows(sgd, lambda n: 0.95 if n >= needed else 0.5),
    }
    made.gpu("sgd", **trainings)
    return verdict(made, "25-2")


def test_25_2_the_run_on_a_gpu_has_every_hundredth_epoch(made):
    made.exercise("sgd")
    for needed, expected in (
        (400, HOLDS), (1000, HOLDS), (200, REFUTED), (5, REFUTED), (1001, REFUTED), (300, UNDECIDED)
    ):  # fmt: skip
        assert on_gpu(made, needed).word == expected, needed
    assert "after 301 to 400 epochs" in on_gpu(made, 400).parts[0].found
    assert on_gpu(made, 400).files == ("docs/gpu/sgd.json",)
    assert on_gpu(made, 400, hundredths=9).word == UNTESTED  # it was stopped
    made.gpu("resnet")  # the step `sgd` is not there
    (made.root / "docs/gpu/sgd.json").unlink()
    assert word(made, "25-2") == UNTESTED


def test_25_2_the_exercise_comes_before_the_run_on_a_gpu_if_it_has_all_images(made):
    long_trainings(made, 100)
    assert on_gpu(made, 400).word == REFUTED
    long_trainings(made, 100, images=6000)
    assert on_gpu(made, 400).word == HOLDS


def batches(sgd, adam, seeds=4, spread=0.001):
    """Accuracies at rates 0.1 and 0.3 with batches of 10, 16 and 100: all seeds at the best one."""
    steps = spread * np.array([0.0, -1.0, 0.0, 1.0])[:seeds, None]
    return {
        f"{name}_{size},_rate_{rate}": (
            1,
            "test_accuracy",
            (np.full((seeds, 3), value) + steps * way)[: seeds if value == max(values) else 1],
        )
        for name, way, by_size in (("SGD", 1, sgd), ("Adam", -1, adam))
        for size, values in zip((10, 16, 100), by_size, strict=True)
        for rate, value in zip(("0p1", "0p3"), values, strict=True)
    }


def test_25_3_both_at_their_best_rates(made):
    made.exercise("batch_sizes", **batches((BETTER, BETTER, BETTER), (WORSE, WORSE, BETTER)))
    assert marks(made, "25-3") == "✓✓✓✓"
    found = verdict(made, "25-3").parts[0].found
    assert found.startswith("SGD's lead is +2.00 points")
    assert found.endswith("SGD 10, rate 0.3 and Adam 10, rate 0.1")
    made.exercise("batch_sizes", **batches((WORSE, BETTER, BETTER), (BETTER, WORSE, BETTER)))
    assert marks(made, "25-3") == "✗✗✓✓"
    made.exercise("batch_sizes", **batches((WORSE, WORSE, WORSE), (BETTER, BETTER, WORSE)))
    assert word(made, "25-3") == REFUTED


def test_25_3_a_lead_that_batches_of_100_have_too(made):
    made.exercise("batch_sizes", **batches((BETTER, BETTER, BETTER), (WORSE, WORSE, WORSE)))
    assert marks(made, "25-3") == "✓?✓?"
    assert word(made, "25-3") == UNDECIDED


def test_25_3_the_first_seed_chooses_and_the_others_judge(made):
    """The first seed chooses a rate of 0.1 for SGD. At this rate the others are worse than Adam."""
    made.exercise(
        "batch_sizes",
        **{
            "SGD_10,_rate_0p1": (1, "test_accuracy", [[0.99], [0.8], [0.81], [0.82]]),
            "SGD_10,_rate_0p3": (1, "test_accuracy", [[0.98]]),
            "Adam_10,_rate_0p1": (1, "test_accuracy", [[0.1], [0.9], [0.9], [0.9]]),
        },
    )
    assert marks(made, "25-3").startswith("✗")
    assert "3 seeds" in verdict(made, "25-3").parts[0].found


def test_25_3_chance_leaves_it_undecided(made):
    same = ((0.9, 0.95),) * 3
    made.exercise("batch_sizes", **batches(same, same))
    assert word(made, "25-3") == UNDECIDED


def test_25_3_a_seed_that_diverged_does_not_judge(made):
    trainings = batches((BETTER, BETTER, BETTER), (WORSE, WORSE, WORSE))
    # A rate that diverges from the first seed is not chosen, so the other seeds do not have it.
    trainings["SGD_10,_rate_30"] = (1, "test_accuracy", [[0.99]])
    made.exercise("batch_sizes", **trainings)
    assert marks(made, "25-3") == "✓?✓?"
    updates, column, reached = trainings["SGD_10,_rate_0p3"]
    trainings["SGD_10,_rate_0p3"] = (updates, column, reached[:3])  # the last seed diverged
    made.exercise("batch_sizes", **trainings)
    found = [part.found for part in verdict(made, "25-3").parts]
    assert ["2 seeds" in one for one in found] == [True, True, False, False]
    assert ["3 seeds" in one for one in found] == [False, False, True, True]
    del trainings["SGD_10,_rate_0p3"]  # it diverged from every seed
    made.exercise("batch_sizes", **trainings)
    assert marks(made, "25-3") == "–✓?"


def test_25_3_needs_two_seeds_that_judge(made):
    for seeds in (1, 2):
        made.exercise(
            "batch_sizes", **batches((BETTER, BETTER, BETTER), (WORSE, WORSE, WORSE), seeds)
        )
        assert word(made, "25-3") == UNTESTED
    made.exercise("batch_sizes")
    assert word(made, "25-3") == UNTESTED


def test_25_4_momentum_or_rate(made):
    def reached(lead, seeds=3, spread=0.001):
        values = 0.5 + spread * STEPS[:seeds, None]
        made.exercise(
            "momentum",
            SGD=(1, "test_accuracy", np.full((seeds, 1), 0.1)),
            momentum=(1, "test_accuracy", values + lead),
            larger_rate=(1, "test_accuracy", np.full((seeds, 1), 0.5)),
        )
        return word(made, "25-4")

    assert reached(0.01) == HOLDS
    assert reached(0.006) == UNDECIDED  # its interval reaches 0.25 points each way
    assert reached(0.001) == REFUTED
    assert reached(-0.3) == REFUTED
    assert reached(0.3, seeds=1) == UNTESTED
    made.exercise("momentum")
    assert word(made, "25-4") == UNTESTED


def test_25_4_compares_the_same_seeds(made):
    values = 0.5 + 0.3 * STEPS[:, None]
    made.exercise(
        "momentum",
        momentum=(1, "test_accuracy", values + 0.01 + 0.001 * STEPS[:, None]),
        larger_rate=(1, "test_accuracy", values),
    )
    assert word(made, "25-4") == HOLDS


def test_25_5_more_than_half_of_the_way(made):
    for last, expected in (
        ((0.95, 0.9, 0.7), HOLDS), ((0.95, 0.75, 0.7), IN_PART), ((0.95, 0.6, 0.7), REFUTED),
        ((0.6, 0.9, 0.7), HOLDS),  # Adam is not above SGD: the share means nothing
    ):  # fmt: skip
        optimizers(made, last, spread=0)
        assert word(made, "25-5") == expected, last
    assert marks(made, "25-5") == "✓–"


def test_25_5_chance_leaves_it_undecided(made):
    made.training("optimizers@adam", test_accuracy=np.full((3, 10), 0.9))
    made.training("optimizers@sgd", test_accuracy=np.full((3, 10), 0.7))
    momentum = np.full((3, 10), 0.81) + 0.01 * STEPS[:, None]
    made.training("optimizers@momentum", test_accuracy=momentum)
    assert marks(made, "25-5") == "✓?"


def test_25_5_needs_two_seeds_and_ten_epochs(made):
    optimizers(made, (0.95, 0.9, 0.7), seeds=1)
    assert word(made, "25-5") == UNTESTED
    optimizers(made, (0.95, 0.9, 0.7), epochs=9)
    assert word(made, "25-5") == UNTESTED


def test_verdicts_name_files_that_are_there(made):
    optimizers(made, (0.96, 0.9, 0.7))
    for name in ("sgd", "batch_sizes", "momentum"):
        made.exercise(name)
    claims = ("25-1", "25-2", "25-3", "25-4", "25-5")
    assert all((made.root / file).exists() for one in claims for file in verdict(made, one).files)
