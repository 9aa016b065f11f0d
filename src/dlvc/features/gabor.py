"""Gabor filter: how strongly one spatial frequency is present around each pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import gabor_kernel

from dlvc.features.gray import check_gray


def gabor_magnitude(
    images: NDArray[np.uint8], frequency: float = 0.6, theta: float = 0
) -> NDArray[np.int64]:
    """Squared magnitude of the Gabor response, halved: ⌊(real² + imag²) / 2⌋.

    The kernel is a plane wave under a Gaussian, with σ ∝ 1 / f (bandwidth of one octave) and
    x' = x cos θ + y sin θ, y' = −x sin θ + y cos θ:

        g(x, y) = exp(−(x'² + y'²) / 2σ² + 2πi f x') / 2πσ²

    Parameters
    ----------
    images : (N, H, W) uint8, gray
    frequency : f, in cycles per pixel
    theta : θ, direction of the wave in radians; 0 is along a row

    Returns
    -------
    (N, H, W) int64

    Notes
    -----
    Real and imaginary response are whole numbers, the fraction cut off (towards zero: 2.7 → 2,
    −2.7 → −2), before they are squared. That is no choice of ours: the lecture's notebook calls
    `skimage.filters.gabor` on an integer array, and `scipy.ndimage.convolve`, which does the
    work there and here, answers in its input's type. Beyond the border the image is mirrored.

    The notebook's f = 0.6 lies above the highest frequency that pixels can show, 0.5; the filter
    sees its alias.

    References
    ----------
    Daugman 1985, doi:10.1364/JOSAA.2.001160

    Examples
    --------
    The kernel's real part sums to 0.0645, its imaginary part to 0. So a flat image of gray level
    200 responds with 12.9, cut to 12, and 12² / 2 = 72.

    >>> gabor_magnitude(np.full((1, 1, 3), 200, dtype=np.uint8), frequency=0.6)
    array([[[72, 72, 72]]])
    """
    check_gray(images)
    kernel = gabor_kernel(frequency, theta)[np.newaxis]  # (1, h, w): no image sees another
    real = ndimage.convolve(images, kernel.real, output=np.int64)
    imag = ndimage.convolve(images, kernel.imag, output=np.int64)
    magnitude: NDArray[np.int64] = (real**2 + imag**2) // 2
    return magnitude
