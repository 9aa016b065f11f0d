"""Intervals and tests for the rules: comparisons over the seeds, and printed values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from dlvc.evidence.curves import Curves, Numbers
from dlvc.report.verdict import NOT_COMPARABLE, Part

LEVEL = 0.95
FEWEST = 3  # seeds that a prediction interval needs
ENOUGH = 10  # seeds for a printed curve to hold


def confidence_interval(values: ArrayLike) -> tuple[float, float]:
    """Student's 95 % interval of the mean of two or more values.

    >>> [round(bound, 3) for bound in confidence_interval([1.0, 2.0, 3.0])]
    [-0.484, 4.484]
    """
    x = np.asarray(values, dtype=np.float64)
    return _around_mean(x, _error_of_mean(x))


def prediction_interval(values: ArrayLike) -> tuple[float, float]:
    """The 95 % interval of one more value from the same normal distribution.

    Its half width is t s √(1 + 1/n), for n values with the standard deviation s.

    >>> [round(bound, 3) for bound in prediction_interval([1.0, 2.0, 3.0])]
    [-2.968, 6.968]
    """
    x = np.asarray(values, dtype=np.float64)
    return _around_mean(x, _error_of_one_more(x))


def p_of_one_more(values: ArrayLike, printed: float) -> float:
    """The two-sided p-value of `printed` as one more value; 0.05 at the interval's bounds.

    >>> round(p_of_one_more([1.0, 2.0, 3.0], 6.968), 3)
    0.05
    """
    x = np.asarray(values, dtype=np.float64)
    return _p_value(printed - x.mean(), _error_of_one_more(x), len(x))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction of p-values that are tested together.

    Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979,
    https://www.jstor.org/stable/4615733.

    >>> [round(p, 3) for p in holm([0.04, 0.01, 0.02])]
    [0.04, 0.03, 0.04]
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(np.argsort(p_values)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def mcnemar(lost: int, gained: int) -> float:
    """McNemar's exact two-sided p-value for two answers to each image.

    Of the images that only one of the answers has right, `lost` are those of the first answer, and
    `gained` those of the second one.

    Source: McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", 1947, doi:10.1007/BF02295996.

    >>> mcnemar(1, 4), mcnemar(0, 0)
    (0.375, 1.0)
    """
    if lost + gained == 0:
        return 1.0
    return float(stats.binomtest(lost, lost + gained, 0.5).pvalue)


def error_of_accuracies(*accuracies: ArrayLike, images: int) -> Numbers:
    """The standard error of a sum or difference of accuracies, each of so many independent images.

    >>> round(float(error_of_accuracies(0.5, 0.9, images=100)), 4)
    0.0583
    """
    each = np.stack([np.asarray(accuracy) for accuracy in accuracies])
    error: Numbers = np.sqrt((each * (1 - each) / images).sum(axis=0))
    return error


def above(
    statement: str,
    values: Numbers,
    bound: float,
    show: Callable[[float], str],
    what: str,
    unit: str = "seed",
) -> Part:
    """Whether the mean of `values` is above `bound`, judged by its 95 % interval.

    It is undecided if the interval contains the bound, and not tested with fewer than two values.
    `what` says what the values are, `show` writes one of them, and `unit` is what each is of.
    """
    if len(values) < 2:
        return _too_few(statement, values, show, what, unit)
    low, high = confidence_interval(values)
    holds = low > bound or (None if high >= bound else False)
    p_value = _p_value(values.mean() - bound, _error_of_mean(values), len(values))
    found = f"{_interval(values, low, high, show, what, unit)}, {as_p(p_value)}"
    return Part(statement, holds, found, is_undecided=holds is None)


def within(
    statement: str,
    values: Numbers,
    bounds: tuple[float, float],
    show: Callable[[float], str],
    what: str,
    unit: str = "seed",
) -> Part:
    """Whether the mean of `values` is between two bounds, judged by its 95 % interval.

    It holds if the whole interval lies between them, and is refuted if all of it lies outside.
    """
    if len(values) < 2:
        return _too_few(statement, values, show, what, unit)
    low, high = confidence_interval(values)
    holds = is_inside((low, high), bounds)
    found = _interval(values, low, high, show, what, unit)
    return Part(statement, holds, found, is_undecided=holds is None)


def is_inside(interval: tuple[float, float], bounds: tuple[float, float]) -> bool | None:
    """Whether an interval lies between two bounds; None if one of the bounds divides it.

    >>> is_inside((1, 2), (0, 3)), is_inside((4, 5), (0, 3)), is_inside((2, 4), (0, 3))
    (True, False, None)
    """
    (low, high), (least, most) = interval, bounds
    if high < least or low > most:
        return False
    return True if least <= low and high <= most else None


def printed_curve(
    statement: str,
    curves: Curves,
    metric: str,
    printed_of_stage: Mapping[str, Mapping[int, float]],
    *,
    comparable: bool,
) -> Part:
    """Whether the printed values of a metric may be one more seed of ours.

    `printed_of_stage` has values by metric and epoch, counted from 1. Epochs that our curves lack
    are left out. The curve has two tests, and the smaller p-value counts twice (Bonferroni): the
    mean of the curve, of a loss's logarithms, as one more value, and each printed value, with
    Holm's correction. A single value has only one test. The curve is refuted if the result is below
    5 %. If it is not, ten seeds are needed for the curve to hold, because the interval of a few
    seeds is so wide that nearly all would.
    """
    printed = printed_of_stage[metric]
    is_loss = not metric.endswith("accuracy")
    show = number if is_loss else percent
    epochs = [epoch for epoch in printed if epoch <= curves.epochs]
    if not comparable or not epochs:
        return Part(statement, None, NOT_COMPARABLE)
    if len(curves) < FEWEST:
        return Part(statement, None, f"{_seeds(len(curves))}, and an interval needs {FEWEST}")
    ours = np.stack([curves.at(metric, epoch) for epoch in epochs], axis=1)
    theirs = np.array([printed[epoch] for epoch in epochs])
    each = [p_of_one_more(*pair) for pair in zip(ours.T, theirs, strict=True)]
    worst = int(np.argmin(each))
    low, high = prediction_interval(ours[:, worst])
    outside = sum(p_value < 1 - LEVEL for p_value in each)
    found = (
        f"{outside} of {len(epochs)} printed values lie outside of their 95 % prediction interval; "
        f"the farthest is {show(theirs[worst])} after epoch {epochs[worst]}, where one more seed "
        f"would lie between {show(low)} and {show(high)}"
    )
    p_value, of_what = min(holm(each)), ""
    if len(epochs) > 1:
        of_what = " for the whole curve"
        p_of_mean, about_mean = _test_mean(ours, theirs, show, logarithmic=is_loss)
        found += f"; {about_mean}"
        p_value = min(1.0, 2 * min(p_value, p_of_mean))
    found += f" ({_seeds(len(curves))}, {as_p(p_value)}{of_what})"
    if p_value < 1 - LEVEL:
        return Part(statement, False, found)
    if len(curves) < ENOUGH:
        return Part(
            statement, None, f"{found}; it is not refuted, and needs {ENOUGH} seeds to hold"
        )
    return Part(statement, True, found)


def _test_mean(
    ours: Numbers, theirs: Numbers, show: Callable[[float], str], *, logarithmic: bool
) -> tuple[float, str]:
    """The p-value of the mean of a curve `(epochs,)` beside ours `(seeds, epochs)`, and a text."""
    scale, back, mean = (
        (np.log, np.exp, "geometric mean") if logarithmic else (np.positive, np.positive, "mean")
    )
    means, printed = scale(ours).mean(axis=1), float(scale(theirs).mean())
    low, high = prediction_interval(means)
    return p_of_one_more(means, printed), (
        f"the {mean} of the curve is {show(back(printed))}, and that of one more seed would lie "
        f"between {show(back(low))} and {show(back(high))}"
    )


def percent(value: float) -> str:
    """An accuracy as a percentage.

    >>> percent(0.91234)
    '91.23 %'
    """
    return f"{100 * value:.2f} %"


def points(value: float) -> str:
    """A difference of accuracies in percentage points.

    >>> points(-0.0123)
    '-1.23 points'
    """
    return f"{100 * value:+.2f} points"


def number(value: float) -> str:
    """A number with four significant digits.

    >>> number(0.00123456), number(30.0)
    ('0.001235', '30')
    """
    return f"{value:.4g}"


def as_p(p_value: float) -> str:
    """A p-value as text.

    >>> as_p(0.0312), as_p(0.0000001)
    ('p = 0.031', 'p < 0.001')
    """
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def _interval(
    values: Numbers, low: float, high: float, show: Callable[[float], str], what: str, unit: str
) -> str:
    return (
        f"{what} is {show(values.mean())} (95 % interval {show(low)} to {show(high)}, "
        f"{_counted(len(values), unit)})"
    )


def _too_few(
    statement: str, values: Numbers, show: Callable[[float], str], what: str, unit: str
) -> Part:
    shown = f"{what} is {show(values[0])}, and " if len(values) else ""
    return Part(statement, None, f"{shown}{_counted(len(values), unit)} cannot decide this")


def _seeds(count: int) -> str:
    return _counted(count, "seed")


def _counted(count: int, unit: str) -> str:
    return f"one {unit}" if count == 1 else f"{count} {unit}s"


def _error_of_mean(values: Numbers) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def _error_of_one_more(values: Numbers) -> float:
    return float(values.std(ddof=1) * np.sqrt(1 + 1 / len(values)))


def _around_mean(values: Numbers, error: float) -> tuple[float, float]:
    half = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * error
    return float(values.mean() - half), float(values.mean() + half)


def _p_value(difference: float, error: float, count: int) -> float:
    """Student's two-sided p-value of a difference from the mean of `count` values."""
    if error == 0:
        return float(difference == 0)
    return float(2 * stats.t.sf(abs(difference) / error, count - 1))
