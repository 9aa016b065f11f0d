"""Rules for the claims of lecture 24 on the epochs and the time that its update rules need."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dlvc.evidence.curves import Curves, Numbers, of_same_seeds
from dlvc.evidence.outs import TIMES, Evidence
from dlvc.report.rules.update_rules import (
    PER_BATCH,
    PER_EPOCH,
    PER_SAMPLE,
    printed_parts,
)
from dlvc.report.statistics import above, number, points, within
from dlvc.report.verdict import NOT_COMPARABLE, Part, Verdict

CHANCE = 0.9  # the error before the first epoch
SMALLEST = 5e-5  # half of one of 10,000 test images, because an error of 0 has no logarithm
EPOCHS = 10
TURNS = 5  # in which the rules are timed


def per_batch(evidence: Evidence) -> Verdict:
    """24-2: per batch, an epoch takes almost the same time as per epoch and reaches 92.7 %."""
    statement = "an epoch takes almost the same time as with one update"
    time = time_ratio(evidence, statement, "per_batch", "per_epoch", (0.8, 1.25))
    files = (evidence.curves(PER_BATCH).file, *files_of_times(evidence))
    return Verdict((time, *printed_parts(evidence, PER_BATCH)), files)


def per_sample(evidence: Evidence) -> Verdict:
    """24-3: per sample, an epoch takes about 30 times as long as per batch and reaches 96 %."""
    statement = "an epoch takes about 30 times as long as per batch"
    time = time_ratio(evidence, statement, "per_sample", "per_batch", (15, 60))
    files = (evidence.curves(PER_SAMPLE).file, *files_of_times(evidence))
    return Verdict((time, *printed_parts(evidence, PER_SAMPLE)), files)


def time_ratio(
    evidence: Evidence, statement: str, rule: str, reference: str, bounds: tuple[float, float]
) -> Part:
    """Whether the ratio of two rules' times on a GPU lies within `bounds`.

    The ratio on a CPU is shown and does not decide.
    """
    ratios = ratios_on_gpu(evidence, rule, reference)
    lecture = evidence.times["lecture"]
    on_cpu = lecture[rule]["seconds"] / lecture[reference]["seconds"]
    if len(ratios) < TURNS:
        part = Part(statement, None, needs_gpu(ratios))
    else:
        part = within(statement, ratios, bounds, number, "the ratio on a GPU", unit="turn")
    return replace(part, found=f"{part.found}; on a CPU, the ratio is {number(on_cpu)}")


def ratios_on_gpu(evidence: Evidence, rule: str, reference: str) -> Numbers:
    """The ratio of two rules' times in each turn on a GPU, `(turns,)`; empty without a GPU."""
    if evidence.gpu is None:
        return np.array([])
    seconds = evidence.gpu.turns("rules", "seconds_of_epoch", [rule, reference])
    ratios: Numbers = seconds[rule] / seconds[reference]
    return ratios


def needs_gpu(ratios: Numbers) -> str:
    """Why fewer than five turns on a GPU do not decide."""
    needed = f"a GPU's times of {TURNS} turns are needed"
    return f"{needed}; {len(ratios)} gave {number(ratios.mean())}" if len(ratios) else needed


def files_of_times(evidence: Evidence) -> tuple[str, ...]:
    """The files that have the times."""
    return (TIMES, *([evidence.gpu.file("rules")] if evidence.gpu else []))


def time_to_goal(evidence: Evidence) -> Verdict:
    """24-5: per batch reaches 96 % about eight times faster than per sample."""
    statement = "per batch reaches 96 % about eight times faster"
    singles, batches = of_same_seeds(evidence.curves(PER_SAMPLE), evidence.curves(PER_BATCH))
    ratios = ratios_on_gpu(evidence, "per_sample", "per_batch")
    slow, fast = epochs_to(singles, 0.96), epochs_to(batches, 0.96)
    if not evidence.has_mnist:
        part = Part(statement, None, NOT_COMPARABLE)
    elif len(ratios) < TURNS:
        part = Part(statement, None, needs_gpu(ratios))
    elif np.isnan(slow + fast).any():
        part = Part(statement, None, not_reached("96 %", slow, fast))
    else:
        what = (
            f"the ratio of the epochs ({number(slow.mean())} per sample, {number(fast.mean())} per "
            f"batch) times that of the durations ({number(ratios.mean())}, the mean of "
            f"{len(ratios)} turns)"
        )
        part = within(statement, slow / fast * ratios.mean(), (4, 16), number, what)
    return Verdict((part,), (singles.file, batches.file, *files_of_times(evidence)))


def highest_accuracy(evidence: Evidence) -> Verdict:
    """24-10: updating per sample reaches the highest accuracy in the fewest epochs."""
    singles, batches, once = of_same_seeds(
        *(evidence.curves(stage) for stage in (PER_SAMPLE, PER_BATCH, PER_EPOCH))
    )
    files = (singles.file, batches.file, once.file)
    highest = "per sample reaches the highest accuracy of ten epochs"
    fewest = "per sample needs fewer epochs to 97 % than per batch"
    epochs = min(curves.epochs for curves in (singles, batches, once))
    if epochs < EPOCHS:
        found = f"this needs ten epochs of each rule, and one of them has {epochs}"
        return Verdict((Part(highest, None, found), Part(fewest, None, found)), files)
    best, *others = (
        curves.stack("test_accuracy")[:, :EPOCHS].max(axis=1) for curves in (singles, batches, once)
    )
    what = "the best accuracy per sample minus the better one of the other two rules"
    first = above(highest, best - np.max(others, axis=0), 0, points, what)
    few, many = epochs_to(singles, 0.97), epochs_to(batches, 0.97)
    if np.isnan(few + many).any():
        second = Part(fewest, None, not_reached("97 %", few, many))
    else:
        what = f"{number(many.mean())} epochs per batch minus {number(few.mean())} per sample"
        second = above(fewest, many - few, 0, number, what)
    return Verdict((first, second), files)


def epochs_to(curves: Curves, goal: float) -> Numbers:
    """The epochs until the test accuracy is `goal`, `(seeds,)`; NaN if a seed does not reach it.

    Parts of an epoch count: the logarithm of the test error is interpolated between two epochs.
    """
    return np.array([_epochs_to(curve["test_accuracy"], goal) for curve in curves])


def _epochs_to(accuracies: Numbers, goal: float) -> float:
    """As `epochs_to`, for one seed.

    >>> round(_epochs_to(np.array([0.92, 0.98, 0.9]), 0.96), 3)
    1.5
    """
    reached = np.flatnonzero(accuracies >= goal)
    if len(reached) == 0:
        return np.nan
    logarithms = np.log(np.maximum([CHANCE, *(1 - accuracies)], SMALLEST))
    before = int(reached[0])  # the epoch before; 0 is the initial model
    first, last = logarithms[before : before + 2]
    return before + float((first - np.log(1 - goal)) / (first - last))


def not_reached(goal: str, singles: Numbers, batches: Numbers) -> str:
    """How many seeds reach the goal, as the reason why a part is not tested."""
    reached = " and ".join(
        f"{int((~np.isnan(epochs)).sum())} of {len(epochs)} seeds {rule}"
        for epochs, rule in ((singles, "per sample"), (batches, "per batch"))
    )
    return f"{goal} is reached by {reached}"
