"""Gabor filter: the strength of one spatial frequency around each pixel."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from skimage.filters import gabor_kernel

from dlvc.features.gray import check_gray


def gabor_magnitude(
    images: NDArray[np.uint8], frequency: float = 0.6, theta: float = 0
) -> NDArray[np.int64]:
    """Half the squared magnitude of the Gabor response: ⌊(real² + imag²) / 2⌋.

    The kernel is a plane wave times a Gaussian, with σ ∝ 1 / f (bandwidth of one octave) and
    x' = x cos θ + y sin θ, y' = −x sin θ + y cos θ:

        g(x, y) = exp(−(x'² + y'²) / 2σ² + 2πi f x') / 2πσ²

    Parameters
    ----------
    images : (N, H, W) uint8, gray
    frequency : f, in cycles per pixel
    theta : θ, direction of the wave in radians; 0 is along the rows

    Returns
    -------
    (N, H, W) int64

    Notes
    -----
    The real and imaginary responses are truncated to whole numbers (towards zero: 2.7 → 2,
    −2.7 → −2) before they are squared. This follows the lecture's notebook. It calls
    `skimage.filters.gabor` on an integer array, and `scipy.ndimage.convolve`, which computes the
    responses there, returns the dtype of its input. The image is mirrored at its border.

    The notebook's f = 0.6 is higher than 0.5, the highest frequency that pixels can represent, so
    the filter responds to its alias.

    References
    ----------
    Daugman 1985, doi:10.1364/JOSAA.2.001160

    Examples
    --------
    The real part of the kernel sums to 0.0645 and the imaginary part to 0. The response of a
    uniform image of gray level 200 is therefore 12.9, truncated to 12, and 12² / 2 = 72.

    >>> gabor_magnitude(np.full((1, 1, 3), 200, dtype=np.uint8), frequency=0.6)
    array([[[72, 72, 72]]])
    """
    check_gray(images)
    # A convolution flips the kernel. SciPy ignores weights that are not zero only due to rounding.
    weights = gabor_kernel(frequency, theta)[::-1, ::-1]  # (h, w)
    real, imag = (
        np.where(abs(part) > np.finfo(np.float64).eps, part, 0)
        for part in (weights.real, weights.imag)
    )
    magnitude = np.empty(images.shape, np.int64)
    _magnitude(
        np.ascontiguousarray(images),
        np.ascontiguousarray(real),
        np.ascontiguousarray(imag),
        magnitude,
    )
    return magnitude


@njit(nogil=True, cache=True)
def _magnitude(
    images: NDArray[np.uint8],
    real_weights: NDArray[np.float64],
    imag_weights: NDArray[np.float64],
    magnitude: NDArray[np.int64],
) -> None:
    """Fill `magnitude` (N, H, W) from `images` (N, H, W) and the weights (h, w).

    The products are added one by one in the order of the kernel, as SciPy adds them. If a response
    differs from a whole number in the last bit only, that bit determines the truncated value. All
    rows of an image, with their margins, are joined into one long row. The inner loop runs over
    this row and applies four taps at a time.
    """
    number, height, width = images.shape
    top, left = real_weights.shape[0] // 2, real_weights.shape[1] // 2
    columns = real_weights.shape[1]
    row = width + columns - 1
    pixels = np.empty((height + real_weights.shape[0] - 1) * row)
    taps = real_weights.size
    padded = (taps + 3) // 4 * 4
    a, b, offsets = np.zeros(padded), np.zeros(padded), np.zeros(padded, np.int64)
    a[:taps], b[:taps] = real_weights.ravel(), imag_weights.ravel()
    for t in range(taps):
        offsets[t] = t // columns * row + t % columns

    size = (height - 1) * row + width
    real, imag = np.empty(size), np.empty(size)
    for n in range(number):
        for y in range(len(pixels) // row):
            source_row = _mirrored(y - top, height)
            for x in range(row):
                pixels[y * row + x] = images[n, source_row, _mirrored(x - left, width)]
        _correlate(pixels, offsets, a, b, real, imag)
        for y in range(height):
            for x in range(width):
                r, i = np.int64(real[y * row + x]), np.int64(imag[y * row + x])  # truncates
                magnitude[n, y, x] = (r * r + i * i) // 2


@njit(nogil=True, cache=True)
def _mirrored(k: int, size: int) -> int:
    """Mirror a position beyond the border: … 1 0 | 0 1 2 … size − 1 | size − 1 …"""
    while k < 0 or k >= size:
        k = -1 - k if k < 0 else 2 * size - 1 - k
    return k


@njit(nogil=True, cache=True)
def _correlate(
    pixels: NDArray[np.float64],
    offsets: NDArray[np.int64],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    real: NDArray[np.float64],
    imag: NDArray[np.float64],
) -> None:
    """Fill `real` with Σ aₜ pixels[k + offsetₜ], `imag` with Σ bₜ pixels[k + offsetₜ]."""
    size = len(real)
    real[:] = 0
    imag[:] = 0
    for t in range(0, len(offsets), 4):
        a0, a1, a2, a3 = a[t], a[t + 1], a[t + 2], a[t + 3]
        b0, b1, b2, b3 = b[t], b[t + 1], b[t + 2], b[t + 3]
        p0 = pixels[offsets[t] : offsets[t] + size]
        p1 = pixels[offsets[t + 1] : offsets[t + 1] + size]
        p2 = pixels[offsets[t + 2] : offsets[t + 2] + size]
        p3 = pixels[offsets[t + 3] : offsets[t + 3] + size]
        for k in range(size):
            real[k] = (((real[k] + a0 * p0[k]) + a1 * p1[k]) + a2 * p2[k]) + a3 * p3[k]
            imag[k] = (((imag[k] + b0 * p0[k]) + b1 * p1[k]) + b2 * p2[k]) + b3 * p3[k]
