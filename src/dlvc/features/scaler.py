"""The normalisation of lecture 3."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scaler:
    """The minimum and maximum of each feature over the training images, float64 `(F,)` each."""

    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]

    @classmethod
    def fit(cls, train: NDArray[np.float64]) -> Scaler:
        """Compute the minimum and maximum of training features `(N, F)`."""
        return cls(train.min(axis=0), train.max(axis=0))

    def transform(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (x - minimum) / maximum for each column of features `(N, F)`.

        Source: lecture 3's notebook. It divides by the maximum and not by the range, so the largest
        training value of a column becomes 1 - minimum / maximum. A column whose maximum is 0 is
        only shifted; the notebook would divide by zero.

        >>> train = np.array([[1.0, 0.0], [4.0, 0.0]])
        >>> Scaler.fit(train).transform(train)
        array([[0.  , 0.  ],
               [0.75, 0.  ]])
        """
        divisor = np.where(self.maximum == 0, 1, self.maximum)
        return (features - self.minimum) / divisor
