"""Local binary patterns: which of the neighbours on a circle are at least as bright as a pixel."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dlvc.features.gray import check_gray


def _sample(padded: NDArray[np.float64], offset: float, margin: int) -> NDArray[np.float64]:
    """Linear interpolation along the last axis, `offset` pixels from each unpadded one."""
    size = padded.shape[-1] - 2 * margin
    position = np.arange(size) + offset
    fraction = position - np.floor(position)  # not offset − ⌊offset⌋, which rounds differently
    start = margin + math.floor(offset)
    lower, upper = padded[..., start : start + size], padded[..., start + 1 : start + 1 + size]
    return (1 - fraction) * lower + fraction * upper


def local_binary_pattern(
    images: NDArray[np.uint8], neighbours: int = 5, radius: float = 2
) -> NDArray[np.uint8]:
    """Rotation-invariant uniform local binary patterns, LBP^{riu2}_{P,R}.

    With P = `neighbours` points at distance R = `radius` around a pixel c, the p-th of them at
    angle 2πp/P and s(x) = 1 if x ≥ 0, else 0:

        LBP = Σ_p s(g_p − g_c)   if the sequence s(g_0 − g_c), …, s(g_{P−1} − g_c) changes
                                 at most twice,
        LBP = P + 1              otherwise.

    Parameters
    ----------
    images : (N, H, W) uint8, gray
    neighbours : P, number of points on the circle
    radius : R, in pixels

    Returns
    -------
    (N, H, W) uint8 codes in 0 … P + 1

    Notes
    -----
    The codes are those of `skimage.feature.local_binary_pattern(image, P, R, "uniform")`, which
    the lecture's notebook calls: points outside the image are 0 (black), g_p is interpolated
    bilinearly, first along the rows. The arithmetic follows scikit-image's rounding for rounding,
    since where g_p = g_c but for the last bit, that bit decides s.

    Deviation from the paper, as in scikit-image: the sequence is not closed to a circle, the
    change from its last element to its first is not counted.

    References
    ----------
    Ojala, Pietikäinen, Mäenpää 2002, doi:10.1109/TPAMI.2002.1017623

    Examples
    --------
    Round the centre all four neighbours are at least as bright; round a corner none is, since
    black lies outside; round the middle of a side every second one is, three changes: 4 + 1.

    >>> image = np.array([[[9, 5, 9],
    ...                    [5, 3, 4],
    ...                    [9, 6, 9]]], dtype=np.uint8)
    >>> local_binary_pattern(image, neighbours=4, radius=1)
    array([[[0, 5, 0],
            [5, 4, 5],
            [0, 5, 0]]], dtype=uint8)
    """
    check_gray(images)
    if not 1 <= neighbours <= 254:
        raise ValueError(f"neighbours must be 1 to 254 (a code is a byte), found {neighbours}")
    angle = 2 * np.pi * np.arange(neighbours) / neighbours
    row_offsets = np.round(-radius * np.sin(angle), 5)  # rows count downwards
    column_offsets = np.round(radius * np.cos(angle), 5)

    margin = math.ceil(radius) + 1  # one more, for the upper neighbour in the interpolation
    padded = np.pad(images.astype(np.float64), ((0, 0), (margin, margin), (margin, margin)))
    signs = np.empty((neighbours, *images.shape), dtype=np.bool_)  # s(g_p − g_c), (P, N, H, W)
    for p in range(neighbours):
        along_rows = _sample(padded, column_offsets[p], margin)  # (N, H + 2 margin, W)
        g = _sample(along_rows.swapaxes(1, 2), row_offsets[p], margin).swapaxes(1, 2)  # (N, H, W)
        np.greater_equal(g, images, out=signs[p])

    ones = signs.sum(axis=0, dtype=np.uint8)
    changes = (signs[1:] != signs[:-1]).sum(axis=0, dtype=np.uint8)
    return np.where(changes <= 2, ones, np.uint8(neighbours + 1))
