"""The intervals and tests of the rules, compared with SciPy and with simulations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dlvc.evidence.curves import Curve, Curves
from dlvc.report.statistics import (
    above,
    confidence_interval,
    holm,
    mcnemar,
    number,
    p_of_one_more,
    prediction_interval,
    printed_curve,
    within,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def curves(values) -> Curves:
    """One curve per row, with one value per epoch."""
    epochs = np.arange(1.0, len(values[0]) + 1)
    found = [Curve("", n, {"epoch": epochs, "loss": np.array(row)}) for n, row in enumerate(values)]
    return Curves("made-up.csv", tuple(found))


def test_the_confidence_interval_is_scipys(rng):
    values = rng.normal(3, 2, 12)
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    assert confidence_interval(values) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("seeds", [3, 10, 30])
def test_a_prediction_interval_holds_95_of_100_new_values_for_any_number_of_seeds(rng, seeds):
    draws = rng.normal(size=(4000, seeds + 1))
    inside = 0
    for *values, new in draws:
        low, high = prediction_interval(values)
        is_inside = low <= new <= high
        inside += is_inside
        assert is_inside == (p_of_one_more(values, new) >= 0.05)
    assert inside / len(draws) == pytest.approx(0.95, abs=0.012)


def test_holm_rejects_no_more_than_bonferroni_and_no_less_than_necessary(rng):
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == pytest.approx([1, 1])
    # By chance alone, one of ten values is rejected in 5 of 100 families.
    families = rng.uniform(size=(4000, 10))
    assert np.mean([min(holm(list(p))) < 0.05 for p in families]) == pytest.approx(0.05, abs=0.012)


def test_mcnemar_is_a_binomial_test():
    assert mcnemar(5, 15) == pytest.approx(stats.binomtest(5, 20).pvalue)
    assert mcnemar(15, 5) == mcnemar(5, 15)


@pytest.mark.parametrize(
    ("mean", "expected", "is_undecided"), [(1, True, False), (-1, False, False), (0, None, True)]
)
def test_a_mean_is_above_a_bound_below_it_or_neither(mean, expected, is_undecided):
    values = mean + np.array([-0.1, 0.05, 0.1, -0.05])
    part = above("it is above", values, 0, number, "the mean")
    assert (part.holds, part.is_undecided) == (expected, is_undecided)
    assert "4 seeds" in part.found
    assert "p " in part.found


def test_one_seed_decides_nothing():
    part = above("it is above", np.array([5.0]), 0, number, "the mean")
    assert (part.holds, part.is_undecided) == (None, False)
    assert "one seed cannot decide" in part.found
    assert within("it is near", np.array([5.0]), (0, 9), number, "the mean").holds is None


@pytest.mark.parametrize(("mean", "expected"), [(0, True), (3, False), (1, None)])
def test_a_mean_is_within_two_bounds_outside_or_neither(mean, expected):
    values = mean + np.array([-0.1, 0.05, 0.1, -0.05])
    assert within("it is near", values, (-1, 1), number, "the mean").holds is expected


def test_seeds_that_are_all_the_same_have_an_interval_without_width():
    same = np.array([0.5, 0.5, 0.5])
    assert above("it is above", same, 0.4, number, "the mean").holds is True
    assert p_of_one_more(same, 0.5) == 1
    assert p_of_one_more(same, 0.6) == 0


def test_a_printed_curve_is_one_more_seed_or_not(rng):
    values = np.linspace(2, 1, 5) + rng.normal(0, 0.01, (10, 5))
    printed = dict(enumerate(np.linspace(2, 1, 5), start=1))
    part = printed_curve("it is ours", curves(values), "loss", {"loss": printed}, comparable=True)
    assert part.holds is True
    assert "0 of 5" in part.found
    printed[4] += 0.1
    part = printed_curve("it is ours", curves(values), "loss", {"loss": printed}, comparable=True)
    assert part.holds is False
    assert "after epoch 4" in part.found
    assert "10 seeds, p " in part.found


def test_the_largest_of_many_seeds_does_not_make_a_printed_value_fit():
    """The printed value is smaller than the largest seed, and is refuted all the same."""
    values = np.random.default_rng(8).normal(0, 1, (100, 1))
    part = printed_curve("", curves(values), "loss", {"loss": {1: 2.3}}, comparable=True)
    assert values.max() > 2.3
    assert part.holds is False


def test_a_printed_curve_that_is_a_little_higher_everywhere_is_refuted_by_its_mean(rng):
    """Each value lies inside of its interval, but their mean does not."""
    values = np.stack([1 + rng.permutation(np.linspace(-0.15, 0.15, 12)) for _ in range(40)], 1)
    printed = {"loss": dict.fromkeys(range(1, 41), 1.07)}
    part = printed_curve("it is ours", curves(values), "loss", printed, comparable=True)
    assert "0 of 40 printed values" in part.found
    assert part.holds is False


def test_few_seeds_cannot_make_a_printed_curve_hold(rng):
    values = rng.normal(1, 0.1, (10, 5))
    printed = {"loss": dict.fromkeys(range(1, 6), 1.0)}
    for count, expected in ((10, True), (9, None), (3, None)):
        part = printed_curve("", curves(values[:count]), "loss", printed, comparable=True)
        assert part.holds is expected
        assert ("it is not refuted" in part.found) == (expected is None)
    far = {"loss": dict.fromkeys(range(1, 6), 3.0)}
    assert printed_curve("", curves(values[:3]), "loss", far, comparable=True).holds is False


def test_one_in_twenty_printed_curves_of_the_same_training_is_refuted_at_most(rng):
    """The values of a curve go up and down together, and so Holm's correction is conservative."""
    refuted = 0
    for _ in range(400):
        level = rng.normal(2, 0.1, (11, 1))
        values = level + rng.normal(0, 0.05, (11, 8))
        printed = {"loss": dict(enumerate(values[10], start=1))}
        part = printed_curve("", curves(values[:10]), "loss", printed, comparable=True)
        refuted += part.holds is False
    assert refuted / 400 < 0.07


def test_a_printed_curve_needs_the_lectures_images_and_three_seeds():
    values = np.zeros((2, 3))
    untested = printed_curve("", curves(values), "loss", {"loss": {1: 0}}, comparable=True)
    assert (untested.holds, untested.is_undecided) == (None, False)
    assert "2 seeds" in untested.found
    for given, comparable in (({1: 0}, False), ({9: 0}, True)):
        printed = {"loss": given}
        part = printed_curve("", curves(np.zeros((3, 3))), "loss", printed, comparable=comparable)
        assert part.holds is None
