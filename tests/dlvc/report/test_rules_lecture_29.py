"""The rules of lecture 29, on outs that were made up for them."""

from __future__ import annotations

import numpy as np
import pytest

from dlvc.evidence.curves import Curves
from dlvc.report.operators import (
    SIGMAS,
    SOBEL,
    explained_share,
    gaussian_derivative,
    laplacian_of_gaussian,
    shares_of_random_kernels,
)
from dlvc.report.rules import lenet
from dlvc.report.verdict import HOLDS, IN_PART, REFUTED, UNDECIDED, UNTESTED
from dvcview.files.artifacts import write_csv

LOSS, ACCURACY = "train_loss_lecture_scale", "test_accuracy"


def marks(verdict):
    return "".join(part.mark for part in verdict.parts)


def printed_with(made, **offsets):
    """The lecture's curves with ten seeds around them, or with the given offsets `(seeds, 1)`."""
    ten = np.linspace(-1, 1, 10)[:, None]
    printed = made.evidence().printed["lenet"]
    losses = np.array([0.006, *printed[LOSS].values(), 0.00105])  # epochs 1 and 10 are not printed
    accuracies = np.array(list(printed[ACCURACY].values()))
    return {
        LOSS: losses + np.array(offsets.get(LOSS, 5e-5 * ten)),
        ACCURACY: accuracies + np.array(offsets.get(ACCURACY, 1e-3 * ten)),
    }


def trained(made, curves):
    """`train_loss` falls like the loss on the lecture's scale."""
    made.training("lenet", train_loss=100 * curves[LOSS], **curves)


def test_29_1_like_the_lecture(made):
    trained(made, printed_with(made))
    assert marks(lenet.ten_epochs(made.evidence())) == "✓✓✓✓"
    assert lenet.ten_epochs(made.evidence()).word == HOLDS


def test_29_1_one_printed_value_far_from_all_seeds_refutes_the_curve(made):
    for metric, column, expected in ((LOSS, 4, "✓✓✗✓"), (ACCURACY, 0, "✓✓✓✗")):
        curves = printed_with(made, **{LOSS: 1e-6 * np.linspace(-1, 1, 10)[:, None]})
        curves[metric][:, column] *= 0.95
        trained(made, curves)
        assert marks(lenet.ten_epochs(made.evidence())) == expected


def test_29_1_passes_97_percent_by_its_interval(made):
    for last, mark in (
        ([0.975, 0.976, 0.977], "✓"), ([0.969, 0.975, 0.979], "?"), ([0.966, 0.967, 0.968], "✗")
    ):  # fmt: skip
        three = np.array([[-1], [0], [1]])
        curves = printed_with(made, **{LOSS: 5e-5 * three, ACCURACY: 1e-3 * three})
        curves[ACCURACY][:, :9] -= 0.01
        curves[ACCURACY][:, 9] = last
        trained(made, curves)
        assert lenet.ten_epochs(made.evidence()).parts[0].mark == mark


def test_29_1_monotonic_for_most_seeds(made):
    for metric in (LOSS, ACCURACY):
        for seeds, mark in ((4, "✓"), (5, "✗")):
            curves = printed_with(made)
            back = curves[metric][:seeds, 5] + (1e-6 if metric == LOSS else -1e-6)
            curves[metric][:seeds, 6] = back
            trained(made, curves)
            part = lenet.ten_epochs(made.evidence()).parts[1]
            assert part.mark == mark
            assert f"for {10 - seeds} of 10 seeds" in part.found
    longer = {metric: np.hstack([values, values[:, :1]]) for metric, values in curves.items()}
    longer[ACCURACY][:5, 6] += 1e-4
    trained(made, longer)
    assert lenet.ten_epochs(made.evidence()).parts[1].mark == "✓"  # epoch 11 does not count


def test_29_1_other_images_few_epochs_or_few_seeds(made):
    curves = printed_with(made)
    trained(made, {metric: values[:, :9] for metric, values in curves.items()})
    assert lenet.ten_epochs(made.evidence()).word == UNTESTED
    trained(made, {metric: values[:1] for metric, values in curves.items()})
    assert marks(lenet.ten_epochs(made.evidence())) == "–✓––"
    trained(made, curves)
    made.images("digits", real=False)
    assert lenet.ten_epochs(made.evidence()).word == UNTESTED


def test_29_2_the_opponent_is_the_lectures_95_percent(made):
    made.training("optimizers@adam", test_accuracy=[[0.97] * 10] * 2)  # reported, and no judge
    for ours, word in (
        ([0.957, 0.958, 0.959], HOLDS), ([0.945, 0.951, 0.957], UNDECIDED),
        ([0.941, 0.942, 0.943], REFUTED), ([0.96], UNTESTED),
    ):  # fmt: skip
        made.training("lenet", test_accuracy=[[0.9] * 9 + [last] for last in ours])
        verdict = lenet.beats_mlp(made.evidence())
        assert verdict.word == word
        assert "our MLP, trained with Adam, reaches 97.00 %" in verdict.parts[0].found
        assert verdict.parts[1].holds is None


def test_29_2_needs_mnist_and_ten_epochs(made):
    made.training("optimizers@adam", test_accuracy=[[0.97] * 10] * 2)
    made.training("lenet", test_accuracy=[[0.98] * 9] * 3)
    assert lenet.beats_mlp(made.evidence()).word == UNTESTED
    made.training("lenet", test_accuracy=[[0.98, 0.981, 0.982]] * 3)
    made.images("digits", real=False)
    assert lenet.beats_mlp(made.evidence()).word == UNTESTED


def exercised(made, after, images=60_000, epochs=100):
    noise = np.random.default_rng(1).uniform(-0.2, 0.2, (6, 5, 5))
    made.array("results/lenet/conv1.npy", [noise, 1.5 * noise])
    made.training("lenet", test_accuracy=[[0.9] * 10])
    made.exercise("lenet", images, LeNet=(1, ACCURACY, [[0.9] * epochs]))
    made.array("results/claims/lenet/conv1.npy", [[noise, after]])
    return lenet.kernels(made.evidence())


def test_29_3_gradient_operators(made):
    rng = np.random.default_rng(3)
    noise = rng.uniform(-1, 1, (6, 5, 5))
    operators = np.stack([SOBEL, -SOBEL.T, *map(laplacian_of_gaussian, SIGMAS)])
    operators /= np.linalg.norm(operators, axis=(1, 2), keepdims=True)
    assert marks(exercised(made, operators + 0.01 * noise)) == "–✓✓"
    # noise of twice the length explains about four fifths of the sum
    noise /= np.linalg.norm(noise, axis=(1, 2), keepdims=True)
    in_part = exercised(made, operators + 2 * noise)
    assert (marks(in_part), in_part.word) == ("–✓✗", IN_PART)
    assert "by 50% of their length on average in 10 epochs" in in_part.parts[0].found
    refuted = exercised(made, noise)
    assert (marks(refuted), refuted.word) == ("–✗✗", REFUTED)


def test_29_3_needs_the_lectures_images_and_a_hundred_epochs(made):
    operators = np.stack([SOBEL] * 6)
    assert exercised(made, operators).word == HOLDS
    assert exercised(made, operators, images=6000).word == UNTESTED
    assert exercised(made, operators, epochs=99).word == UNTESTED
    made.images("digits", real=False)
    assert exercised(made, operators).word == UNTESTED
    made.exercise("lenet")
    found = lenet.kernels(made.evidence())
    assert found.word == UNTESTED
    assert "is off here" in found.parts[1].found


def test_every_operator_of_the_family_is_explained_in_any_direction():
    for first in (SOBEL, *map(gaussian_derivative, SIGMAS)):
        turned = np.stack([np.cos(a) * first + np.sin(a) * first.T for a in (0, 0.7, 2, 4)])
        np.testing.assert_allclose(explained_share(5 - 3 * turned), 1)
    for sigma in SIGMAS:
        np.testing.assert_allclose(explained_share(2 - 3 * laplacian_of_gaussian(sigma)), 1)


def test_random_kernels_are_explained_no_better_than_by_the_best_of_nine_bases():
    """A centred kernel has 24 dimensions, and a basis of two explains 2/24 of a random one.

    The best of nine bases explains more than that, and less than all of their 14 vectors together.
    """
    means = shares_of_random_kernels(6, 4000, np.random.default_rng(5))
    assert means.shape == (4000,)
    assert 2 / 24 < means.mean() < 14 / 24
    again = shares_of_random_kernels(6, 4000, np.random.default_rng(5))
    np.testing.assert_array_equal(means, again)
    one = shares_of_random_kernels(1, 4000, np.random.default_rng(6))
    assert one.mean() == pytest.approx(means.mean(), abs=0.01)
    assert one.std() == pytest.approx(np.sqrt(6) * means.std(), rel=0.1)


@pytest.mark.parametrize(
    ("parameters", "outputs", "expected"),
    [
        ((61_706, 61_706), ("1x10", "2x10"), "✓✓"),
        ((61_706, 61_707), ("1x10", "2x10"), "✗✓"),
        ((61_706, 61_706), ("1x10", "1x10"), "✓✗"),
    ],
)
def test_29_4_counted_for_one_image_and_two(made, parameters, outputs, expected):
    rows = [
        {"batch_size": 1 + n, "parameters": parameters[n], "output": outputs[n]} for n in (0, 1)
    ]
    write_csv(made.root / "results/costs/sizes.csv", rows)
    assert marks(lenet.parameters(made.evidence())) == expected


def test_29_4_as_our_stage_counts(made):
    made.costs()
    assert lenet.parameters(made.evidence()).word == HOLDS


def compared(made, adam, sgd, images=60_000):
    """Each optimizer's curves `(seeds, epochs)`. The first seed has tried another rate as well."""
    made.times["lenet"] = {"machine": "m", "adam": [1.1, 1.21, 1.3], "sgd": [1.0, 1.1, 1.2]}
    made.exercise(
        "lenet_sgd", images,
        **{
            "Adam,_rate_0p0001": (1, ACCURACY, [[0.1] * np.shape(adam)[1]]),
            "Adam,_rate_0p001": (1, ACCURACY, adam),
            "SGD,_rate_0p1": (1, ACCURACY, sgd),
            "SGD,_rate_0p01": (1, ACCURACY, [[0.1] * np.shape(sgd)[1]]),
        },
    )  # fmt: skip
    return lenet.adam_or_sgd(made.evidence())


def risen(*last, epochs=6):
    """Accuracies that rise by 0.1 per epoch and end, after epoch 5, with each seed's `last`."""
    return np.array(last)[:, np.newaxis] + 0.1 * (np.arange(1, epochs + 1) - 5)


def test_29_5_the_same_time(made):
    adam = risen(0.5, 0.90, 0.91, 0.92)
    # In the time of 5 epochs with Adam, SGD has 5 x 1.094 epochs, and gets half of epoch 6.
    behind, equal, ahead = 0.2, 0.0469, 0.0
    for less, mark in ((behind, "✓"), (equal, "?"), (ahead, "✗")):
        sgd = adam - less + np.array([[0.7], [0.01], [0], [-0.01]])  # the first seed does not count
        assert marks(compared(made, adam, sgd)) == "✓" + mark
    found = compared(made, adam, adam - 0.2).parts
    assert "3 turns" in found[0].found
    assert "3 seeds" in found[1].found
    assert "Adam, rate 0.001 and SGD, rate 0.1" in found[1].found


@pytest.mark.parametrize(
    ("adam", "expected"),
    [([1.0, 1.1, 0.9], "?"), ([0.9, 0.91, 0.92], "✗"), ([1.2, 1.21, 1.22], "✓")],
)
def test_29_5_the_time_of_an_epoch(made, adam, expected):
    made.exercise("lenet_sgd")
    made.times["lenet"] = {"machine": "m", "adam": adam, "sgd": [1.0, 1.0, 1.0]}
    found = lenet.adam_or_sgd(made.evidence())
    assert marks(found) == expected + "–"
    assert "is off here" in found.parts[1].found


def test_29_5_needs_the_lectures_images_enough_epochs_and_seeds(made):
    good = risen(0.5, 0.90, 0.91)
    assert marks(compared(made, good, good)) == "✓✗"
    assert marks(compared(made, good, good, images=6000)) == "✓–"
    assert marks(compared(made, good[:2], good[:2])) == "✓–"  # one seed judges
    assert marks(compared(made, good[:1], good[:1])) == "✓–"
    five = risen(0.5, 0.90, 0.91, epochs=5)  # SGD's time is that of 5.5 epochs
    assert marks(compared(made, five, five)) == "✓–"
    made.images("digits", real=False)
    assert marks(compared(made, good, good)) == "✓–"


def test_29_5_a_seed_that_diverged_does_not_judge(made):
    good = risen(0.5, 0.90, 0.91, 0.92)
    compared(made, good, good)
    evidence = made.evidence()
    whole = evidence.exercise("lenet_sgd")
    completed = [curve for curve in whole if (curve.training, curve.seed) != ("SGD, rate 0.1", 3)]
    evidence._curves[whole.file] = Curves(whole.file, tuple(completed))
    assert "2 seeds" in lenet.adam_or_sgd(evidence).parts[1].found
