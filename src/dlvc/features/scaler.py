"""Lecture 3's normalisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scale:
    """The smallest and the largest value of each feature over the training images, `(F,)` each."""

    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]

    @classmethod
    def of(cls, train: NDArray[np.float64]) -> Scale:
        """The scale of training features `(N, F)`."""
        return cls(train.min(axis=0), train.max(axis=0))

    def normalise(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """(x - minimum) / maximum, column by column, of features `(N, F)`.

        Source: lecture 3's notebook, which divides by the maximum and not by the range, so a
        column ends at 1 - minimum / maximum. A column whose maximum is 0 is only shifted: the
        notebook would divide by zero.

        >>> train = np.array([[1.0, 0.0], [4.0, 0.0]])
        >>> Scale.of(train).normalise(train)
        array([[0.  , 0.  ],
               [0.75, 0.  ]])
        """
        divisor = np.where(self.maximum == 0, 1, self.maximum)
        return (features - self.minimum) / divisor
