"""The verdict on a claim, and functions that compare results with printed values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlvc.evidence.curves import Numbers

HOLDS = "holds"
IN_PART = "holds in part"
REFUTED = "does not hold"
UNDECIDED = "undecided"
UNTESTED = "not tested here"
OFF = "this exercise is off here: its number of epochs in params.yaml is 0"
NO_JUDGE = "no seed but the first one, which chooses the rates, has trained both optimizers"
NOT_COMPARABLE = "its images or epochs are not the lecture's"


@dataclass(frozen=True)
class Part:
    """One statement of a claim, and whether it holds.

    `holds` is None if the statement is not tested here or if its test is undecided. `found` gives
    the numbers that decide, or the reason why the statement is not tested.
    """

    statement: str
    holds: bool | None
    found: str
    is_undecided: bool = False

    @property
    def mark(self) -> str:
        """The symbol in front of the statement."""
        return "?" if self.is_undecided else {True: "✓", False: "✗", None: "–"}[self.holds]


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim: its parts, and the files that they were read from."""

    parts: tuple[Part, ...]
    files: tuple[str, ...]

    @property
    def word(self) -> str:
        """The verdict in words. Parts that are not tested do not count.

        >>> Verdict((Part("falls", True, ""), Part("to 46 %", None, "")), ()).word
        'holds'
        >>> Verdict((Part("falls", True, ""), Part("to 46 %", False, "")), ()).word
        'holds in part'
        >>> Verdict((Part("falls", True, ""), Part("to 46 %", None, "", True)), ()).word
        'undecided'
        """
        decided = [part.holds for part in self.parts if part.holds is not None]
        if False in decided:
            return IN_PART if True in decided else REFUTED
        if any(part.is_undecided for part in self.parts):
            return UNDECIDED
        return HOLDS if decided else UNTESTED

    @property
    def is_partly_untested(self) -> bool:
        """Whether some parts are tested here and others are not."""
        tested = [part.holds is not None or part.is_undecided for part in self.parts]
        return any(tested) and not all(tested)


def spread(values: Numbers) -> str:
    """The mean of accuracies, with the minimum and maximum if there are several seeds.

    >>> spread(np.array([0.914, 0.916])), spread(np.array([0.5]))
    ('91.5 % (91.4 to 91.6, 2 seeds)', '50.0 %')
    """
    percent = 100 * np.asarray(values)
    mean = f"{percent.mean():.1f} %"
    if len(percent) == 1:
        return mean
    return f"{mean} ({percent.min():.1f} to {percent.max():.1f}, {len(percent)} seeds)"


def rises(values: Numbers) -> int:
    """The number of steps along the last axis that do not go down. A step to or from NaN counts."""
    return int((~(np.diff(values, axis=-1) < 0)).sum())


def join(parts: Sequence[str]) -> str:
    """Join words with commas and a final "and".

    >>> join(["a", "b", "c"]), join(["a"])
    ('a, b and c', 'a')
    """
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
