"""All nine features of a set of images, computed in chunks of images."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from dlvc.arrays.memmap import chunk_of
from dlvc.features.gabor import gabor_magnitude
from dlvc.features.glcm import PROPERTIES, cooccurring_pairs, graycoprops
from dlvc.features.gray import check_images, to_gray
from dlvc.features.histogram import histogram_energy_entropy
from dlvc.features.lbp import local_binary_pattern

FEATURE_NAMES = (
    "lbp_energy",
    "lbp_entropy",
    *(f"glcm_{name}" for name in PROPERTIES),
    "gabor_energy",
    "gabor_entropy",
)
# 256 images of 32 x 32. With smaller chunks, the Python code between them slows two threads down.
CHUNK_PIXELS = 1 << 18


def extract(
    images: NDArray[np.uint8],
    *,
    lbp_neighbours: int = 5,
    lbp_radius: float = 2,
    lbp_bins: int = 8,
    glcm_distance: float = 2,
    glcm_angle: float = 0,
    glcm_levels: int = 256,
    gabor_frequency: float = 0.6,
    gabor_theta: float = 0,
    gabor_bins: int = 8,
    threads: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> NDArray[np.float64]:
    """The feature vectors of lecture 3, not normalised. The defaults are the notebook's values.

    Parameters
    ----------
    images : (N, H, W) gray or (N, H, W, 3) RGB, uint8; a memory map may be larger than memory
    lbp_neighbours, lbp_radius : see `local_binary_pattern`; radius in pixels
    glcm_distance, glcm_angle, glcm_levels : see `cooccurring_pairs`; in pixels, radians, levels
    gabor_frequency, gabor_theta : see `gabor_magnitude`; in cycles per pixel, radians
    lbp_bins, gabor_bins : bins of the two histograms, see `histogram_energy_entropy`
    threads : number of chunks computed at a time, None for one per core; does not change the result
    progress : called after each chunk with the number of images done so far

    Returns
    -------
    (N, 9) float64, with the columns in the order of `FEATURE_NAMES`

    Raises
    ------
    ValueError : `images` have another dtype or shape or are too small, or a parameter is invalid
    """
    check_images(images)
    features = np.empty((len(images), len(FEATURE_NAMES)))
    height, width = images.shape[1:3]
    step = max(1, CHUNK_PIXELS // (height * width))

    def extract_from(start: int) -> int:
        gray = to_gray(chunk_of(images, start, start + step))  # (n, H, W)
        codes = local_binary_pattern(gray, lbp_neighbours, lbp_radius)
        pairs = cooccurring_pairs(gray, glcm_distance, glcm_angle, glcm_levels)
        magnitudes = gabor_magnitude(gray, gabor_frequency, gabor_theta)
        features[start : start + step] = np.column_stack(
            [
                *histogram_energy_entropy(codes, lbp_bins),
                graycoprops(*pairs),
                *histogram_energy_entropy(magnitudes, gabor_bins),
            ]
        )
        return len(gray)

    done = 0
    pool = ThreadPoolExecutor(threads or os.cpu_count())
    try:
        for number in pool.map(extract_from, range(0, len(images), step)):
            done += number
            if progress is not None:
                progress(done)
    finally:
        pool.shutdown(cancel_futures=True)
    return features
