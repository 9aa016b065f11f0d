"""Gray-level co-occurrence: how the gray levels of two pixels at a fixed offset go together.

The features of a co-occurrence matrix P(i, j) are expectations over the pairs (i, j) that were
counted into it, so they are computed from the pairs: a 32 x 32 image has fewer than a thousand
of them, its matrix 65 536 cells.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlvc.features.gray import check_gray

Levels = NDArray[np.uint8]  # (N, K): the gray levels at one end of each image's K pairs


def _pixels(offset: float) -> int:
    """To the nearest whole pixel, halves away from zero: as scikit-image rounds, not as Python."""
    return math.trunc(offset + math.copysign(0.5, offset))


def cooccurring_pairs(
    images: NDArray[np.uint8], distance: float = 2, angle: float = 0, levels: int = 256
) -> tuple[Levels, Levels]:
    """The gray levels (i, j) of all pairs of pixels that lie `distance` apart in one direction.

    Parameters
    ----------
    images : (N, H, W) uint8, gray
    distance : in pixels
    angle : in radians; 0 pairs a pixel with one to its right, π/2 with one below it
    levels : number of gray levels; every pixel must be smaller

    Returns
    -------
    i, j : (N, K) uint8 each, the first and the second pixel of each image's K pairs

    Notes
    -----
    The co-occurrence matrix is the histogram of the pairs. Made symmetric (each pair counted as
    (i, j) and as (j, i)) and divided by its sum 2K, it is the P(i, j) of the lecture's notebook,
    `skimage.feature.graycomatrix(image, [2], [0], 256, symmetric=True, normed=True)`; the five
    functions of this module give its properties without building it.

    References
    ----------
    Haralick, Shanmugam, Dinstein 1973, doi:10.1109/TSMC.1973.4309314

    Examples
    --------
    Haralick's image: neighbours in a row, three pairs a row, twelve in all.

    >>> image = np.array([[[0, 0, 1, 1],
    ...                    [0, 0, 1, 1],
    ...                    [0, 2, 2, 2],
    ...                    [2, 2, 3, 3]]], dtype=np.uint8)
    >>> i, j = cooccurring_pairs(image, distance=1, angle=0, levels=4)
    >>> print(*zip(i[0].tolist(), j[0].tolist()))
    (0, 0) (0, 1) (1, 1) (0, 0) (0, 1) (1, 1) (0, 2) (2, 2) (2, 2) (2, 2) (2, 3) (3, 3)

    Eight pairs of equal levels, three that differ by 1, one by 2: (3 · 1² + 1 · 2²) / 12.

    >>> print(contrast(i, j))
    [0.58333333]
    """
    check_gray(images)
    if images.size and images.max() >= levels:
        raise ValueError(f"a gray level is {images.max()}, expected all below levels = {levels}")
    height, width = images.shape[1:]
    down, right = _pixels(math.sin(angle) * distance), _pixels(math.cos(angle) * distance)
    if abs(down) >= height or abs(right) >= width:
        raise ValueError(
            f"images of {height} x {width} pixels are too small: "
            f"no two of their pixels lie {abs(down)} rows and {abs(right)} columns apart"
        )
    top, left = max(0, -down), max(0, -right)
    rows, columns = height - abs(down), width - abs(right)
    first = images[:, top : top + rows, left : left + columns]
    second = images[:, top + down : top + down + rows, left + right : left + right + columns]
    pairs = (len(images), rows * columns)
    return first.reshape(pairs), second.reshape(pairs)


def _difference(i: Levels, j: Levels) -> NDArray[np.int32]:
    return i.astype(np.int32) - j


def _mean_over_pairs(values: NDArray[Any]) -> NDArray[np.float64]:
    """(N, K) to (N,); of an f(i, j) = f(j, i) this is Σ P(i, j) f(i, j)."""
    mean: NDArray[np.float64] = values.mean(axis=1)
    return mean


def contrast(i: Levels, j: Levels) -> NDArray[np.float64]:
    """Σ P(i, j) (i − j)², the mean squared difference in a pair: (N, K) levels to (N,)."""
    return _mean_over_pairs(_difference(i, j) ** 2)


def dissimilarity(i: Levels, j: Levels) -> NDArray[np.float64]:
    """Σ P(i, j) |i − j|, the mean difference in a pair: (N, K) levels to (N,)."""
    return _mean_over_pairs(np.abs(_difference(i, j)))


def homogeneity(i: Levels, j: Levels) -> NDArray[np.float64]:
    """Σ P(i, j) / (1 + (i − j)²), 1 if no pair differs: (N, K) levels to (N,)."""
    return _mean_over_pairs(1 / (1 + _difference(i, j) ** 2))


def energy(i: Levels, j: Levels) -> NDArray[np.float64]:
    """√Σ P(i, j)², 1 if all pixels are alike: (N, K) levels to (N,).

    This is scikit-image's "energy", which the notebook uses; its square is Haralick's angular
    second moment.
    """
    number, pairs = i.shape
    # Equal pairs, whichever way round, become equal 16-bit codes, and sorting makes runs of them.
    codes = np.sort(np.maximum(i, j).astype(np.uint16) << 8 | np.minimum(i, j), axis=1)
    is_start = np.ones(codes.shape, dtype=np.bool_)  # a run never goes on into the next image
    is_start[:, 1:] = codes[:, 1:] != codes[:, :-1]
    start = np.flatnonzero(is_start)
    m = np.diff(start, append=codes.size)  # length of each run

    # m pairs of i ≠ j put m into each of two cells; of i = j they put 2m into one.
    code = codes.ravel()[start]
    squares = np.where(code >> 8 == code & 0xFF, (2 * m) ** 2, 2 * m**2)
    total = np.bincount(start // pairs, weights=squares, minlength=number)  # (N,)
    root: NDArray[np.float64] = np.sqrt(total) / (2 * pairs)
    return root


def correlation(i: Levels, j: Levels) -> NDArray[np.float64]:
    """Σ P(i, j) (i − μ)(j − μ) / σ², 1 if all pixels are alike: (N, K) levels to (N,).

    Mean μ and variance σ² are those of P's two marginals, which are the same, P being symmetric.
    """
    mean = (_mean_over_pairs(i) + _mean_over_pairs(j))[:, np.newaxis] / 2
    di, dj = i - mean, j - mean
    variance = _mean_over_pairs(di**2 + dj**2) / 2
    covariance = _mean_over_pairs(di * dj)
    return np.divide(covariance, variance, out=np.ones_like(variance), where=variance > 0)
