"""The rule for the claim of lecture 24 on over-fitting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlvc.evidence.curves import Curve
from dlvc.evidence.outs import Evidence
from dlvc.report.rules.update_rules import PER_SAMPLE
from dlvc.report.statistics import LEVEL, as_p, holm, mcnemar
from dlvc.report.verdict import Part, Verdict


@dataclass(frozen=True)
class Fall:
    """A significant fall of a seed's test accuracy, from its best epoch so far to a later one."""

    curve: Curve
    best: int  # epochs, counted from 1
    epoch: int
    p_value: float

    def change(self, column: str) -> tuple[float, float]:
        """A column after both epochs."""
        return self.curve[column][self.best - 1], self.curve[column][self.epoch - 1]

    @property
    def size(self) -> float:
        """By how much the accuracy falls."""
        before, after = self.change("test_accuracy")
        return before - after


def over_fitting(evidence: Evidence) -> Verdict:
    """24-7: the test accuracy turns down while the training loss still falls."""
    curves = evidence.curves(PER_SAMPLE)
    file = f"results/{PER_SAMPLE.replace('@', '/')}/correct.npy"
    turns_down = "the test accuracy turns down while the training loss falls"
    turns_up = "the test loss ends more than a tenth above its lowest value"
    if curves.epochs < 2:
        parts = [Part(turn, None, "only one epoch was trained") for turn in (turns_down, turns_up)]
        return Verdict(tuple(parts), (curves.file, file))
    falls = [
        falls_of(curve, correct)
        for curve, correct in zip(curves, evidence.array(file), strict=True)
    ]
    largest = [max(of_seed, key=lambda fall: fall.size) for of_seed in falls if of_seed]
    losses = curves.stack("test_loss")
    risen = losses[:, -1] / losses.min(axis=1) - 1
    rose, half = int((risen > 0.1).sum()), len(curves) / 2
    found = f"it ends {100 * risen.mean():.0f} % above it on average"
    return Verdict(
        (
            Part(turns_down, len(largest) > half, describe(largest, len(curves))),
            Part(
                turns_up,
                rose > half,
                f"{found}, and more than a tenth for {rose} of {len(curves)} seeds",
            ),
        ),
        (curves.file, file),
    )


def falls_of(curve: Curve, correct: NDArray[np.bool_]) -> list[Fall]:
    """The epochs after which significantly fewer answers are correct than after the best before.

    `correct` is bool `(epochs, images)`. The p-values are McNemar's, corrected by Holm's method.
    Only epochs with a lower training loss count.
    """
    counts = correct.sum(axis=1)
    best = [int(counts[:epoch].argmax()) for epoch in range(1, len(counts))]
    p_values = holm(
        [
            mcnemar(int((correct[b] & ~later).sum()), int((~correct[b] & later).sum()))
            for b, later in zip(best, correct[1:], strict=True)
        ]
    )
    falls = [
        Fall(curve, b + 1, index + 2, p_value)
        for index, (b, p_value) in enumerate(zip(best, p_values, strict=True))
        if p_value < 1 - LEVEL and counts[index + 1] < counts[b]
    ]
    losses = [fall.change("train_loss") for fall in falls]
    return [fall for fall, (old, new) in zip(falls, losses, strict=True) if new < old]


def describe(falls: Sequence[Fall], seeds: int) -> str:
    """The largest falls of the seeds that have one, in words."""
    found = f"it falls significantly for {len(falls)} of {seeds} seeds"
    if not falls:
        return found
    fall = max(falls, key=lambda one: one.size)
    before, after = np.mean([one.change("test_loss") for one in falls], axis=0)
    return (
        f"{found}, most for seed {fall.curve.seed}: by {100 * fall.size:.2f} points from epoch "
        f"{fall.best} to epoch {fall.epoch} ({as_p(fall.p_value)} after Holm's correction). At the "
        f"largest falls of these seeds, the test loss goes from {before:.3f} to {after:.3f} on "
        "average"
    )
