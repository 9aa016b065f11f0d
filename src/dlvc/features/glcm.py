"""Gray-level co-occurrence: the joint distribution of the gray levels at a fixed offset.

The features of a co-occurrence matrix P(i, j) are expectations over the pairs (i, j) that it
counts. They are computed from the pairs, because a 32 x 32 image has fewer than a thousand pairs
and its matrix has 65 536 cells.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dlvc.features.gray import check_gray

PROPERTIES = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation")
Levels = NDArray[np.uint8]  # (N, K): one gray level of each of the K pairs of an image


def _pixels(offset: float) -> int:
    """Round to whole pixels, halves away from zero, as scikit-image does and Python does not."""
    return math.trunc(offset + math.copysign(0.5, offset))


def cooccurring_pairs(
    images: NDArray[np.uint8], distance: float = 2, angle: float = 0, levels: int = 256
) -> tuple[Levels, Levels]:
    """The gray levels (i, j) of all pairs of pixels at one distance and in one direction.

    Parameters
    ----------
    images : (N, H, W) uint8, gray
    distance : in pixels
    angle : in radians; 0 pairs a pixel with one to its right, π/2 with one below it
    levels : number of gray levels; every gray level must be less than this

    Returns
    -------
    i, j : (N, K) uint8 each, the first and second gray levels of the K pairs of each image

    Raises
    ------
    ValueError : `images` have another dtype or shape or are too small, or a gray level is too large

    Notes
    -----
    The co-occurrence matrix is the histogram of the pairs. To get P(i, j), each pair is counted as
    (i, j) and as (j, i), and the matrix is divided by its sum 2K. The lecture's notebook computes
    it by `skimage.feature.graycomatrix(image, [2], [0], 256, symmetric=True, normed=True)`.
    `graycoprops` computes its properties without the matrix.

    References
    ----------
    Haralick, Shanmugam, Dinstein 1973, doi:10.1109/TSMC.1973.4309314

    Examples
    --------
    Haralick's image with horizontal neighbours has three pairs per row, twelve in total.

    >>> image = np.array([[[0, 0, 1, 1],
    ...                    [0, 0, 1, 1],
    ...                    [0, 2, 2, 2],
    ...                    [2, 2, 3, 3]]], dtype=np.uint8)
    >>> i, j = cooccurring_pairs(image, distance=1, angle=0, levels=4)
    >>> print(*zip(i[0].tolist(), j[0].tolist()))
    (0, 0) (0, 1) (1, 1) (0, 0) (0, 1) (1, 1) (0, 2) (2, 2) (2, 2) (2, 2) (2, 3) (3, 3)

    Eight pairs are equal, three differ by 1 and one by 2: (3 · 1² + 1 · 2²) / 12.

    >>> print(graycoprops(i, j)[:, PROPERTIES.index("contrast")])
    [0.58333333]
    """
    check_gray(images)
    if images.size and images.max() >= levels:
        raise ValueError(f"a gray level is {images.max()}, expected less than levels = {levels}")
    height, width = images.shape[1:]
    down, right = _pixels(math.sin(angle) * distance), _pixels(math.cos(angle) * distance)
    if abs(down) >= height or abs(right) >= width:
        raise ValueError(
            f"images of {height} x {width} pixels are too small: "
            f"no two of their pixels are {abs(down)} rows and {abs(right)} columns apart"
        )
    top, left = max(0, -down), max(0, -right)
    rows, columns = height - abs(down), width - abs(right)
    first = images[:, top : top + rows, left : left + columns]
    second = images[:, top + down : top + down + rows, left + right : left + right + columns]
    pairs = (len(images), rows * columns)
    return first.reshape(pairs), second.reshape(pairs)


def graycoprops(i: Levels, j: Levels) -> NDArray[np.float64]:
    """The five properties of the co-occurrence matrix P of each image's pairs.

    Parameters
    ----------
    i, j : (N, K) uint8 each, from `cooccurring_pairs`

    Returns
    -------
    (N, 5) float64, with the columns in the order of `PROPERTIES`:

    contrast        Σ P(i, j) (i − j)², the mean squared difference of a pair
    dissimilarity   Σ P(i, j) |i − j|, the mean absolute difference of a pair
    homogeneity     Σ P(i, j) / (1 + (i − j)²), 1 if the levels of each pair are equal
    energy          √Σ P(i, j)², 1 if all pixels are equal
    correlation     Σ P(i, j) (i − μ)(j − μ) / σ², 1 if all pixels are equal

    Notes
    -----
    μ and σ² are the mean and variance of the two marginals of P, which are equal because P is
    symmetric. "Energy" is that of scikit-image, which the notebook uses; its square is Haralick's
    angular second moment. All sums except the homogeneity's add whole numbers, so they are exact.

    >>> i, j = np.array([[0, 0, 3]], np.uint8), np.array([[0, 1, 3]], np.uint8)
    >>> for name, value in zip(PROPERTIES, graycoprops(i, j)[0], strict=True):
    ...     print(f"{name} {value:.4f}")
    contrast 0.3333
    dissimilarity 0.3333
    homogeneity 0.8333
    energy 0.5270
    correlation 0.9077
    """
    properties = np.empty((len(i), len(PROPERTIES)))
    _properties(np.ascontiguousarray(i), np.ascontiguousarray(j), properties)
    return properties


@njit(nogil=True, cache=True)
def _properties(first: Levels, second: Levels, properties: NDArray[np.float64]) -> None:
    """Fill `properties` (N, 5) from the levels (N, K)."""
    number, pairs = first.shape
    inverse = np.empty(256)  # 1 / (1 + d²)
    for d in range(256):
        inverse[d] = 1 / (1 + d * d)
    counts = np.zeros(1 << 16, np.int64)  # of each unordered pair of levels
    for n in range(number):
        squared = absolute = total = np.int64(0)
        similar = 0.0
        cells = np.int64(0)  # sum of the squared cells of the symmetric matrix
        for k in range(pairs):
            i, j = np.int64(first[n, k]), np.int64(second[n, k])
            squared += (i - j) * (i - j)
            absolute += abs(i - j)
            similar += inverse[abs(i - j)]
            total += i + j
            # The m-th pair of levels i ≠ j raises two cells from m − 1 to m, and each square by
            # 2m − 1. With i = j it raises one cell from 2m − 2 to 2m, and its square by 4 (2m − 1).
            pair = max(i, j) << 8 | min(i, j)
            counts[pair] += 1
            cells += (2 * counts[pair] - 1) * (4 if i == j else 2)
        # An integer near the mean, so that the sums are exact.
        center = np.int64(round(total / (2 * pairs)))
        spread = product = np.int64(0)
        for k in range(pairs):
            i, j = np.int64(first[n, k]), np.int64(second[n, k])
            counts[max(i, j) << 8 | min(i, j)] = 0
            spread += (i - center) ** 2 + (j - center) ** 2
            product += (i - center) * (j - center)
        remainder = total / (2 * pairs) - center  # of the mean, at most one half
        variance = spread / (2 * pairs) - remainder * remainder
        covariance = product / pairs - remainder * remainder
        properties[n, 0] = squared / pairs
        properties[n, 1] = absolute / pairs
        properties[n, 2] = similar / pairs
        properties[n, 3] = math.sqrt(cells) / (2 * pairs)
        properties[n, 4] = covariance / variance if spread > 0 else 1.0
