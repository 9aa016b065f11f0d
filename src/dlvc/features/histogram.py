"""Energy and entropy of a histogram: how peaked, and how spread, the values of a map are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def histogram_energy_entropy(
    maps: NDArray[Any], bins: int = 8
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Energy Σ p² and entropy −Σ p log₂ p of each map's histogram over the map's own value range.

    Parameters
    ----------
    maps : (N, H, W) array of real numbers
    bins : number of bins of equal width between the smallest and the largest value of a map

    Returns
    -------
    energy, entropy : (N,) float64 each; energy in [1/bins, 1], entropy in bits, [0, log₂ bins]

    Notes
    -----
    The bins are those of `numpy.histogram(map, bins)`, edge for edge: closed on the left, open on
    the right, the last one closed on both sides. All of a constant map is in one bin: energy 1,
    entropy 0.

    Deviation: an empty bin adds nothing to the entropy (p log₂ p → 0 for p → 0). The lecture's
    notebook multiplies 0 by log₂ 0 there and gets NaN for the image.

    Two of four pixels in the first bin, one in the third, one in the last:

    >>> energy, entropy = histogram_energy_entropy(np.array([[[0, 0], [2, 4]]]), bins=4)
    >>> print(energy, entropy)
    [0.375] [1.5]
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, found {bins}")
    values = maps.reshape(len(maps), maps.shape[1] * maps.shape[2]).astype(np.float64)  # (N, H·W)
    low, high = values.min(axis=1), values.max(axis=1)
    step = (high - low) / bins

    # A bin's count is what lies above its left edge less what lies above the next bin's.
    above = np.zeros((len(values), bins + 1))
    above[:, 0] = values.shape[1]
    for k in range(1, bins):
        edge = low + k * step  # in the order in which numpy.linspace rounds
        above[:, k] = np.count_nonzero(values >= edge[:, np.newaxis], axis=1)
    p = (above[:, :-1] - above[:, 1:]) / values.shape[1]  # (N, bins)

    surprise = np.log2(1 / np.where(p > 0, p, 1))  # −log₂ p, and 0 for an empty bin
    return np.sum(p**2, axis=1), np.sum(p * surprise, axis=1)
