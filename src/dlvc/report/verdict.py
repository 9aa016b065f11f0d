"""From what was found to a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlvc.report.evidence import Numbers

HOLDS = "holds"
IN_PART = "holds in part"
REFUTED = "does not hold"
UNTESTED = "not tested here"


@dataclass(frozen=True)
class Part:
    """One statement of a claim: whether it holds, or None where it cannot be told here.

    `found` has the number that decides, or says why there is none.
    """

    statement: str
    holds: bool | None
    found: str

    @property
    def mark(self) -> str:
        """What a reader sees first."""
        return {True: "✓", False: "✗", None: "–"}[self.holds]


@dataclass(frozen=True)
class Verdict:
    """What the parts of a claim make together, and the files that they were read from."""

    parts: tuple[Part, ...]
    files: tuple[str, ...]

    @property
    def word(self) -> str:
        """A claim holds if all of it does; parts that cannot be told here decide nothing.

        >>> Verdict((Part("falls", True, ""), Part("to 46 %", None, "")), ()).word
        'holds'
        >>> Verdict((Part("falls", True, ""), Part("to 46 %", False, "")), ()).word
        'holds in part'
        """
        told = [part.holds for part in self.parts if part.holds is not None]
        if not told:
            return UNTESTED
        if all(told):
            return HOLDS
        return IN_PART if any(told) else REFUTED

    @property
    def is_partly_untested(self) -> bool:
        """Whether some of it could be told here, and some could not."""
        return self.word != UNTESTED and any(part.holds is None for part in self.parts)


def near(values: Numbers, printed: float, tolerance: float) -> bool:
    """Whether a printed figure lies within our seeds, or not further from their mean than that.

    >>> near(np.array([0.90, 0.94]), 0.93, 0), near(np.array([0.90]), 0.93, 0.02)
    (True, False)
    """
    within = values.min() <= printed <= values.max()
    return bool(within or abs(values.mean() - printed) <= tolerance)


def figure(
    statement: str, values: Numbers, printed: float, tolerance: float, *, comparable: bool
) -> Part:
    """A printed accuracy beside ours; it cannot be told where the images are others."""
    ours = spread(values)
    if not comparable:
        return Part(statement, None, f"here {ours}, on other images than the lecture's")
    return Part(statement, near(values, printed, tolerance), f"here {ours}")


def spread(values: Numbers) -> str:
    """Accuracies as the mean, and the smallest and the largest where there are several seeds.

    >>> spread(np.array([0.914, 0.916])), spread(np.array([0.5]))
    ('91.5 % (91.4 to 91.6, 2 seeds)', '50.0 %')
    """
    percent = 100 * np.asarray(values)
    mean = f"{percent.mean():.1f} %"
    if len(percent) == 1:
        return mean
    return f"{mean} ({percent.min():.1f} to {percent.max():.1f}, {len(percent)} seeds)"


def rises(values: Numbers) -> int:
    """How many of the steps along the last axis do not go down (NaN counts as one)."""
    return int((~(np.diff(values, axis=-1) < 0)).sum())


def join(parts: Sequence[str]) -> str:
    """As a sentence has them.

    >>> join(["a", "b", "c"]), join(["a"])
    ('a, b and c', 'a')
    """
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
