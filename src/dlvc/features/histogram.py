"""Energy and entropy of a histogram, which measure how concentrated the values of a map are."""

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

    Raises
    ------
    ValueError : `bins` is less than 1

    Notes
    -----
    The bins have exactly the edges of `numpy.histogram(map, bins)`. They are closed on the left and
    open on the right, and the last bin is closed on both sides. All values of a constant map fall
    into one bin: the energy is 1 and the entropy 0.

    An empty bin adds nothing to the entropy (p log₂ p → 0 for p → 0). The loop over all images of
    the lecture's notebook gets the same: 0 · log₂ 0 is NaN there, and `nansum` leaves it out.

    Two of four pixels fall into the first bin, one into the third and one into the last:

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

        # A bin's count: the values from its left edge on, less those from its right edge on.
        from_left = size
        for right in range(1, bins + 1):
            from_right = 0
            if right < bins:
                edge = low + right * step  # the same rounding as numpy.linspace
                for k in range(size):
                    from_right += float(values[k]) >= edge
            p = (from_left - from_right) / size
            from_left = from_right
            if p > 0:
                energy[n] += p * p
                entropy[n] += p * math.log2(1 / p)
