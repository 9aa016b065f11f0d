"""Energy and entropy of a histogram: how peaked, and how spread, the values of a map are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
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
    values = maps.reshape(len(maps), maps.shape[1] * maps.shape[2])  # (N, H·W)
    energy, entropy = np.empty(len(maps)), np.empty(len(maps))
    _energy_entropy(np.ascontiguousarray(values), bins, energy, entropy)
    return energy, entropy


@njit(nogil=True, cache=True)
def _energy_entropy(
    maps: NDArray[Any], bins: int, energy: NDArray[np.float64], entropy: NDArray[np.float64]
) -> None:
    """Fill `energy` and `entropy` (N,) from `maps` (N, H·W)."""
    number, size = maps.shape
    for n in range(number):
        values = maps[n]
        low, high = float(values.min()), float(values.max())
        step = (high - low) / bins
        energy[n] = entropy[n] = 0

        # A bin's count is what lies above its left edge less what lies above the next bin's.
        above = size
        for right in range(1, bins + 1):
            above_next = 0
            if right < bins:
                edge = low + right * step  # in the order in which numpy.linspace rounds
                for k in range(size):
                    above_next += float(values[k]) >= edge
            p = (above - above_next) / size
            above = above_next
            if p > 0:
                energy[n] += p * p
                entropy[n] += p * math.log2(1 / p)
