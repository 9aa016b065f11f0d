"""Local binary patterns: which neighbours on a circle are at least as bright as the pixel."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dlvc.features.gray import check_gray


def local_binary_pattern(
    images: NDArray[np.uint8], neighbours: int = 5, radius: float = 2
) -> NDArray[np.uint8]:
    """Rotation-invariant uniform local binary patterns, LBP^{riu2}_{P,R}.

    P = `neighbours` points lie at distance R = `radius` around a pixel c, the p-th point at angle
    2πp/P. g are gray levels, and s(x) = 1 if x ≥ 0, else 0:

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

    Raises
    ------
    ValueError : `images` have another dtype or shape, or `neighbours` is not 1 to 254

    Notes
    -----
    The codes are those of `skimage.feature.local_binary_pattern(image, P, R, "uniform")`, which
    the lecture's notebook calls. Points outside the image are 0 (black). g_p is interpolated
    bilinearly, first along the rows. Every rounding is the same as in scikit-image: if g_p and g_c
    differ in the last bit only, that bit determines s.

    Deviation from the paper, as in scikit-image: the sequence is not circular, so the change from
    its last element to its first is not counted.

    References
    ----------
    Ojala, Pietikäinen, Mäenpää 2002, doi:10.1109/TPAMI.2002.1017623

    Examples
    --------
    All four neighbours of the centre are at least as bright. No neighbour of a corner is: two are
    darker and two lie outside, where the image is black. In the middle of a side, every second
    neighbour is at least as bright, which makes three changes and the code 4 + 1.

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
    row_offsets = np.round(-radius * np.sin(angle), 5)  # row numbers increase downwards
    column_offsets = np.round(radius * np.cos(angle), 5)

    height, width = images.shape[1:]
    codes = np.empty(images.shape, np.uint8)
    _codes(
        np.ascontiguousarray(images),
        np.floor(row_offsets).astype(np.int64),
        np.floor(column_offsets).astype(np.int64),
        _fractions(row_offsets, height),
        _fractions(column_offsets, width),
        math.ceil(radius) + 1,  # one more for the interpolation
        codes,
    )
    return codes


def _fractions(offsets: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """The fractional part of the position of each neighbour of each pixel, (P, size)."""
    positions = np.arange(size) + offsets[:, np.newaxis]
    return positions - np.floor(positions)  # offset − ⌊offset⌋ rounds differently


@njit(nogil=True, cache=True)
def _codes(
    images: NDArray[np.uint8],
    tops: NDArray[np.int64],
    lefts: NDArray[np.int64],
    row_fractions: NDArray[np.float64],
    column_fractions: NDArray[np.float64],
    margin: int,
    codes: NDArray[np.uint8],
) -> None:
    """Fill `codes` (N, H, W).

    The p-th neighbour of the pixel in row y and column x lies below row y + tops[p] by
    row_fractions[p, y], and to the right of column x + lefts[p] by column_fractions[p, x].
    """
    number, height, width = images.shape
    neighbours = len(tops)
    padded = np.zeros((height + 2 * margin, width + 2 * margin))
    between_columns = np.empty((height + 1, width))
    previous = np.empty((height, width), np.uint8)  # s of the previous neighbour
    ones = np.empty((height, width), np.uint8)
    changes = np.empty((height, width), np.uint8)
    for n in range(number):
        for y in range(height):
            for x in range(width):
                padded[margin + y, margin + x] = images[n, y, x]
                ones[y, x] = changes[y, x] = 0
        for p in range(neighbours):
            left = margin + lefts[p]
            for y in range(height + 1):
                left_pixels = padded[margin + tops[p] + y, left : left + width]
                right_pixels = padded[margin + tops[p] + y, left + 1 : left + 1 + width]
                for x in range(width):
                    f = column_fractions[p, x]
                    between_columns[y, x] = (1 - f) * left_pixels[x] + f * right_pixels[x]
            for y in range(height):
                f = row_fractions[p, y]
                for x in range(width):
                    g = (1 - f) * between_columns[y, x] + f * between_columns[y + 1, x]
                    s = np.uint8(g >= images[n, y, x])
                    ones[y, x] += s
                    if p > 0:
                        changes[y, x] += s ^ previous[y, x]
                    previous[y, x] = s
        for y in range(height):
            for x in range(width):
                codes[n, y, x] = ones[y, x] if changes[y, x] <= 2 else neighbours + 1
