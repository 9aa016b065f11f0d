"""The rules of lecture 24, on outs that were made up for them."""

from __future__ import annotations

import numpy as np
import pytest

from dlvc.arrays.array_files import write_npy
from dlvc.evidence.curves import Curve, Curves
from dlvc.report.rules.over_fitting import falls_of
from dlvc.report.rules.rule_times import epochs_to
from dlvc.report.rules.update_rules import roughness
from dlvc.report.verdict import HOLDS, NOT_COMPARABLE, UNTESTED
from dvcview.files.artifacts import write_json
from tests.dlvc.report.made_up import verdict

PER_EPOCH, PER_BATCH, PER_SAMPLE = (
    f"update_rules@{rule}" for rule in ("per_epoch", "per_batch", "per_sample")
)
SEEDS = np.linspace(-1, 1, 10)[:, None]  # times a scale: the offsets of ten seeds
N = 1000  # test images in the tests of 24-7


def holds(made, claim):
    """The parts of a claim's verdict: True, False, or None with "?" if it is undecided."""
    return [
        part.holds if part.holds is not None else "?" if part.is_undecided else None
        for part in verdict(made, claim).parts
    ]


def printed(made, stage, epochs=10):
    """Losses and accuracies of ten seeds around the lecture's values, by the name of a column."""
    curves = {}
    for metric, scale in (("train_loss", 0.001), ("test_accuracy", 0.002)):
        values = made.evidence().printed[stage][metric]
        known = list(values)
        curve = np.interp(np.arange(epochs) + 1, known, [values[epoch] for epoch in known])
        curves[metric] = curve + scale * SEEDS
    return curves


def times(made, *turns):
    """The seconds of an epoch per epoch, per batch and per sample, in each turn on a GPU."""
    rules = ("per_epoch", "per_batch", "per_sample")
    units = {
        f"turn {number + 1}, {rule}": {
            "ended": "complete", "rows": [{"seconds_of_epoch": seconds}]
        }
        for number, turn in enumerate(turns)
        for rule, seconds in zip(rules, turn, strict=False)
    }  # fmt: skip
    write_json(made.root / "docs/gpu/machine.json", {"card": "a GPU"})
    write_json(made.root / "docs/gpu/rules.json", units)


def test_roughness_is_that_of_the_steps():
    straight, zigzag, bent = [4.0, 3.0, 2.0, 1.0], [4.0, 2.0, 3.0, 1.0], [7.0, 3.0, 1.0, 0.0]
    found = roughness(np.array([straight, zigzag, bent]))
    assert found == pytest.approx([0, 3 / (5 / 3), 1.5 / (7 / 3)])


def test_24_1_smooth_and_printed(made):
    once, often = (printed(made, stage) for stage in (PER_EPOCH, PER_BATCH))
    made.training(PER_EPOCH, **once)
    made.training(PER_BATCH, **often)
    assert holds(made, "24-1") == [True, True, True]
    made.training(PER_EPOCH, **once | {"test_accuracy": once["test_accuracy"] / 2})
    assert holds(made, "24-1") == [True, True, False]
    made.training(PER_EPOCH, **once | {"train_loss": once["train_loss"] + 0.1})
    assert holds(made, "24-1") == [True, False, True]
    made.images("digits", real=False)
    assert holds(made, "24-1") == [True, None, None]


def test_24_1_the_rougher_curve_is_not_smooth(made):
    falling = np.linspace(2, 1, 10) + 0.001 * SEEDS
    zigzag = falling + np.arange(10) % 2
    made.training(PER_BATCH, train_loss=falling)
    made.training(PER_EPOCH, train_loss=zigzag)
    assert holds(made, "24-1")[0] is False
    made.training(PER_BATCH, train_loss=zigzag)
    made.training(PER_EPOCH, train_loss=[*falling[:2], *zigzag[2:]])
    assert holds(made, "24-1")[0] == "?"
    made.training(PER_EPOCH, train_loss=falling[:1])
    assert holds(made, "24-1")[0] is None  # one seed
    made.training(PER_EPOCH, train_loss=falling[:, :2])
    assert holds(made, "24-1")[0] is None  # two epochs


@pytest.mark.parametrize(
    ("claim", "stage", "good", "bad", "between"),
    [
        (
            "24-2", PER_BATCH,
            [(2, 2.1)] * 4 + [(2, 2.12)], [(2, 3)] * 4 + [(2, 3.01)], [(2, 2.1), (2, 3)] * 3,
        ),
        (
            "24-3", PER_SAMPLE,
            [(1, 2, 60)] * 4 + [(1, 2, 62)], [(1, 2, 12)] * 4 + [(1, 2, 13)],
            [(1, 2, 20), (1, 2, 60)] * 3,
        ),
    ],
)  # fmt: skip
def test_24_2_and_3_times_of_a_gpu_and_printed_values(made, claim, stage, good, bad, between):
    curves = printed(made, stage)
    made.training(stage, **curves)
    assert holds(made, claim) == [None, True, True]
    assert "a GPU's times of 5 turns are needed" in verdict(made, claim).parts[0].found
    times(made, *good[:4])
    assert holds(made, claim) == [None, True, True]
    assert "; 4 gave " in verdict(made, claim).parts[0].found
    assert "docs/gpu/rules.json" in verdict(made, claim).files
    for turns, expected in ((good, True), (bad, False), (between, "?")):
        times(made, *turns)
        assert holds(made, claim)[0] == expected
    made.training(stage, **curves | {"train_loss": curves["train_loss"] + 0.1})
    assert holds(made, claim)[1:] == [False, True]
    made.training(stage, **{metric: values[:2] for metric, values in curves.items()})
    assert holds(made, claim)[1:] == [None, None]  # two seeds
    made.images("digits", real=False)
    assert verdict(made, claim).parts[2].found == NOT_COMPARABLE


def test_24_2_the_ratio_of_each_turn_counts_and_not_that_of_the_means(made):
    """The machine is twice as slow in the second turn, for both rules."""
    made.training(PER_BATCH, **printed(made, PER_BATCH))
    times(made, (2, 2.2), (4, 4.4), (2, 2.2), (2, 2.2), (2, 2.2))
    part = verdict(made, "24-2").parts[0]
    assert part.holds is True
    assert "the ratio on a GPU is 1.1 (95 % interval 1.1 to 1.1, 5 turns)" in part.found


def updates_exercise(made, difference, images=60_000, epochs=1200):
    """Curves of three seeds: 90 % and more per batch, and less per epoch."""
    once = np.full((3, epochs), 0.9) + 0.002 * SEEDS[:3]
    often = np.array([[0.9, 0.9]] * 3) + 0.002 * SEEDS[:3]
    made.exercise(
        "per_epoch",
        images=images,
        per_epoch=(1, "test_accuracy", once - np.reshape(difference, (-1, 1))),
        per_batch=(600, "test_accuracy", often),
    )


def updates_on_gpu(made, reached, updates=6000, seed=24):
    """A curve with every 600th update; the two rules differ in their last accuracies."""

    def rows(last):
        return {
            "ended": "stopped",
            "rows": [
                {"mode": "eager", "epoch": n, "updates": n, "test_accuracy": last}
                for n in range(600, updates + 1, 600)
            ],
        }  # fmt: skip

    write_json(made.root / "docs/gpu/machine.json", {"card": "a GPU"})
    write_json(
        made.root / "docs/gpu/updates.json",
        {f"per_epoch, seed {seed}": rows(reached), f"per_batch, seed {seed}": rows(0.98)},
    )


def test_24_4_after_600_and_1200_updates(made):
    for difference, expected in (
        (0.001, True), (0.03, False), ([0, 0.01, 0.02], "?")
    ):  # fmt: skip
        updates_exercise(made, difference)
        assert holds(made, "24-4") == [expected, expected, None]
    updates_exercise(made, 0.001, epochs=700)
    assert holds(made, "24-4") == [True, None, None]
    updates_exercise(made, 0.001, images=3000)
    assert holds(made, "24-4") == [None, None, None]
    assert "3,000 images" in verdict(made, "24-4").parts[0].found
    made.exercise("per_epoch")
    assert verdict(made, "24-4").word == UNTESTED
    updates_exercise(made, 0.001)
    made.images("digits", real=False)
    assert verdict(made, "24-4").word == UNTESTED


def test_24_4_after_6000_updates_on_a_gpu(made):
    updates_exercise(made, 0.001)
    for reached, expected in ((0.975, True), (0.96, False)):
        updates_on_gpu(made, reached)
        assert holds(made, "24-4") == [True, True, expected]
    updates_on_gpu(made, 0.975, updates=3600)
    assert holds(made, "24-4") == [True, True, None]
    assert "3,600 updates" in verdict(made, "24-4").parts[2].found
    made.exercise("per_epoch")
    updates_on_gpu(made, 0.975)
    assert holds(made, "24-4") == [None, None, True]  # one seed


def curves_of(*accuracies):
    columns = [{"epoch": np.arange(len(a)), "test_accuracy": np.array(a)} for a in accuracies]
    return Curves("", tuple(Curve("", n, column) for n, column in enumerate(columns)))


def test_parts_of_an_epoch_count():
    halfway, at_once, never = [0.92, 0.98], [0.96], [0.9, 0.959]
    assert epochs_to(curves_of(halfway, at_once, never), 0.96) == pytest.approx(
        [1.5, 1, np.nan], nan_ok=True
    )
    # From 90 to 0.9 % in the first epoch: it passes 9 % in its middle.
    assert epochs_to(curves_of([0.991], [0.991, 0.5]), 0.91) == pytest.approx([0.5, 0.5])
    assert np.isfinite(epochs_to(curves_of([0.5, 1.0]), 0.96)).all()


def reaching(epochs, goal, length=10):
    """Accuracies of seeds that reach the goal after whole epochs, and stay there."""
    return [[0.8] * (n - 1) + [goal] * (length + 1 - n) for n in epochs]


def test_24_5_time_to_ninety_six(made):
    per_batch = reaching([4, 4, 4, 4, 5], 0.96)
    made.training(PER_BATCH, test_accuracy=per_batch)
    made.training(PER_SAMPLE, test_accuracy=reaching([1] * 5, 0.96))
    assert verdict(made, "24-5").word == UNTESTED
    for seconds, expected in (((1, 2, 64), True), ((1, 2, 20), False), ((1, 2, 33), "?")):
        times(made, *[seconds] * 5)  # a ratio of about 32, 10 and 16.5 over 4
        assert holds(made, "24-5") == [expected], seconds
    times(made, *[(1, 2, 64)] * 4)
    assert holds(made, "24-5") == [None]
    times(made, *[(1, 2, 64)] * 5)
    made.images("digits", real=False)
    assert holds(made, "24-5") == [None]
    made.images("digits", real=True)
    made.training(PER_BATCH, test_accuracy=[*per_batch[:4], [0.9] * 10])
    assert holds(made, "24-5") == [None]
    assert "4 of 5 seeds per batch" in verdict(made, "24-5").parts[0].found
    made.training(PER_BATCH, test_accuracy=per_batch[:1])
    assert holds(made, "24-5") == [None]  # one seed


def losses(made, per_sample, per_batch, epochs=2):
    """The last epoch's losses of single images and of batches; the epoch before has 1.5 times."""
    for rule, last in (("per_sample", per_sample), ("per_batch", per_batch)):
        made.training(f"update_rules@{rule}", test_accuracy=[[0.5] * epochs])
        before = [factor * last for factor in 1.5 ** np.arange(epochs - 1, 0, -1)]
        made.array(
            f"results/update_rules/{rule}/update_losses.npy", np.concatenate([*before, last])
        )


def test_24_6_jitter_of_as_many_images(made):
    rng = np.random.default_rng(1)
    calm, wild = 1 + 0.01 * rng.random(2000), 1 + 0.1 * rng.random(2000)
    # Single losses that differ a lot, and whose means over 100 images are as calm.
    singles = np.tile(np.linspace(0, 2, 100), 2000)
    for per_sample, per_batch, expected in (
        (np.repeat(wild, 100), calm, True),
        (np.repeat(calm, 100), wild, False),
        (singles, calm, False),
        (np.repeat(calm, 100), rng.permutation(calm), "?"),
        (np.repeat(calm[:19], 100), calm[:19], None),
        (np.repeat(5 * wild, 100), calm, None),  # the mean losses per batch do not occur
    ):
        losses(made, per_sample, per_batch)
        assert holds(made, "24-6") == [expected]


def test_24_6_compares_tenths_with_the_same_mean_loss(made):
    """Per sample, the loss halves from epoch to epoch, and so its noise is a larger share of it."""
    rng = np.random.default_rng(2)
    noise = 0.1 * rng.random(8000)
    per_batch = 1 + rng.permutation(noise)[:4000]  # in two epochs
    per_sample = np.repeat([1.0, 0.5, 0.25, 0.125], 2000) + noise
    for rule, found, epochs in (("per_batch", per_batch, 2), ("per_sample", per_sample, 4)):
        made.training(f"update_rules@{rule}", test_accuracy=[[0.5] * epochs])
        values = np.repeat(found, 100) if rule == "per_sample" else found
        made.array(f"results/update_rules/{rule}/update_losses.npy", values)
    assert holds(made, "24-6") == ["?"]


def answers(*right):
    """Answers to N images after each epoch: those with these indices are correct."""
    found = np.zeros((len(right), N), dtype=bool)
    for epoch, indices in enumerate(right):
        found[epoch, indices] = True
    return found


RISING = answers(slice(0, 900), slice(0, 950), slice(0, 960))
FALLEN = answers(slice(0, 900), slice(0, 950), slice(0, 900))
# As much lower, but most of the answers have changed: 480 were lost, and 455 gained.
SHUFFLED = answers(slice(0, 470), slice(480, 960), slice(25, 480))


def curve_of(correct, train_loss=(0.3, 0.2, 0.1), test_loss=(0.3, 0.1, 0.2)):
    columns = {
        "epoch": np.arange(3), "test_accuracy": correct.mean(axis=1),
        "train_loss": np.array(train_loss), "test_loss": np.array(test_loss),
    }  # fmt: skip
    return Curve("", 24, columns)


def test_a_fall_is_significant_by_the_answers_that_changed():
    (fall,) = falls_of(curve_of(FALLEN), FALLEN)
    assert (fall.best, fall.epoch, fall.size) == (2, 3, pytest.approx(0.05))
    assert falls_of(curve_of(RISING), RISING) == []
    assert falls_of(curve_of(SHUFFLED), SHUFFLED) == []
    risen = (0.3, 0.1, 0.2)  # training losses
    assert falls_of(curve_of(FALLEN, risen), FALLEN) == []


def test_a_fall_from_the_best_earlier_epoch_counts_after_a_recovery():
    correct = answers(slice(0, 950), slice(0, 900), slice(0, 980))
    (fall,) = falls_of(curve_of(correct), correct)
    assert (fall.best, fall.epoch) == (1, 2)


def test_the_p_values_of_all_epochs_are_corrected():
    """Six lost answers have p = 0.031, and twice that with two epochs."""
    correct = answers(slice(0, 900), slice(0, 894), slice(0, 900))
    assert falls_of(curve_of(correct), correct) == []
    assert len(falls_of(curve_of(correct[:2]), correct[:2])) == 1


def test_24_7_over_fitting(made):
    up, level = [0.3, 0.1, 0.2], [0.3, 0.1, 0.105]
    for correct, test_loss, expected in (
        ([FALLEN, FALLEN, RISING], [up, up, level], [True, True]),
        ([FALLEN, RISING, RISING], [up, up, level], [False, True]),
        ([FALLEN, FALLEN, RISING], [up, level, level], [True, False]),
        ([RISING, SHUFFLED, RISING], [level] * 3, [False, False]),
    ):
        per_sample_answers(made, correct, test_loss)
        assert holds(made, "24-7") == expected
    per_sample_answers(made, [FALLEN[:1]], [up[:1]])
    assert holds(made, "24-7") == [None, None]


def per_sample_answers(made, correct, test_loss):
    correct = np.array(correct)
    made.training(
        PER_SAMPLE,
        test_accuracy=correct.mean(axis=2),
        test_loss=test_loss,
        train_loss=[[0.3, 0.2, 0.1][: correct.shape[1]]] * len(correct),
    )
    write_npy(made.root / "results/update_rules/per_sample/correct.npy", correct)


def test_24_7_says_how_far_and_what_the_test_loss_does(made):
    per_sample_answers(made, [RISING, FALLEN], [[0.3, 0.1, 0.2]] * 2)
    found = verdict(made, "24-7").parts[0].found
    assert "for 1 of 2 seeds, most for seed 1: by 5.00 points from epoch 2 to epoch 3" in found
    assert "from 0.100 to 0.200" in found


def rates(low, high):
    return {
        name: (1, "test_accuracy", np.reshape(values, (-1, 1)))
        for name, values in (("rate_0p01", low), ("rate_0p1", high))
    }


def test_24_8_a_lower_rate(made):
    low = [0.96, 0.961, 0.962]
    for high, expected in (
        ([0.2, 0.3, 0.2], True), ([0.955, 0.956, 0.957], False), ([0.97, 0.2, 0.96], "?")
    ):  # fmt: skip
        made.exercise("per_sample", **rates(low, high))
        assert holds(made, "24-8") == [expected]
    made.exercise("per_sample", **rates(low[:1], [0.2]))
    assert holds(made, "24-8") == [None]
    made.exercise("per_sample")
    assert holds(made, "24-8") == [None]


def test_24_8_a_training_that_diverges(made):
    diverged = [{"training": "rate 0.1", "seed": seed} for seed in range(3)]
    low, close = [0.96, 0.961, 0.962], [0.2, 0.955, 0.956]
    made.exercise("per_sample", diverged=diverged[:2], **rates(low, close))
    assert holds(made, "24-8") == [True]
    made.exercise("per_sample", diverged=diverged[:1], **rates(low, close))
    assert holds(made, "24-8") == [False]  # the seeds that did not diverge decide
    other = [{"training": "rate 0.01", "seed": seed} for seed in range(2)]
    made.exercise("per_sample", diverged=other, **rates(low, [0.955, 0.956, 0.957]))
    assert holds(made, "24-8") == [False]


def test_24_9_as_counted(made):
    made.costs()
    assert verdict(made, "24-9").word == HOLDS


def test_24_10_the_highest_accuracy_in_the_fewest_epochs(made):
    made.training(PER_EPOCH, test_accuracy=0.5 + 0.01 * SEEDS + np.zeros(10))

    def reached(singles, batches):
        made.training(PER_SAMPLE, test_accuracy=singles)
        made.training(PER_BATCH, test_accuracy=batches)
        return holds(made, "24-10")

    early, late = reaching([2, 2, 3], 0.98), reaching([6, 7, 7], 0.975)
    assert reached(early, late) == [True, True]
    assert reached(late, early) == [False, False]
    assert reached(reaching([6, 7, 7], 0.98), reaching([2, 2, 3], 0.975)) == [True, False]
    assert reached(early, [early[1], early[2], early[0]]) == ["?", "?"]
    assert reached(early, reaching([2, 2, 3], 0.96)) == [True, None]  # 97 % is not reached
    assert reached(early[:1], late) == [None, None]
    assert reached([curve[:9] for curve in early], late) == [None, None]
    # An eleventh epoch does not count for the highest accuracy.
    longer = [[*curve, 0.999] for curve in late]
    assert reached(early, longer)[0] is True


def test_24_10_is_compared_with_the_better_of_the_other_rules(made):
    made.training(PER_EPOCH, test_accuracy=reaching([2, 2, 3], 0.99))
    made.training(PER_BATCH, test_accuracy=reaching([6, 7, 7], 0.975))
    made.training(PER_SAMPLE, test_accuracy=reaching([2, 2, 3], 0.98))
    assert holds(made, "24-10") == [False, True]
