"""Lecture 3's loop over images, as its notebook has it: nine texture features an image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern
from skimage.filters import gabor

PROPERTIES = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation")


def energy_and_entropy(values: NDArray[np.generic]) -> dict[str, float]:
    """Of the histogram of a map's values, in eight bins.

    Where a bin is empty, the notebook has 0 · log 0 = NaN, which its `nansum` leaves out.
    """
    p = np.histogram(values, 8)[0] / values.size
    p = p[p > 0]
    return {"energy": np.sum(p**2), "entropy": -np.sum(p * np.log2(p))}


def features_of(gray: NDArray[np.uint8]) -> dict[str, float]:
    """The nine features of one gray image `(H, W)`, by name."""
    codes = local_binary_pattern(gray, 5, 2, "uniform")
    matrix = graycomatrix(gray, [2], [0], 256, symmetric=True, normed=True)
    real, imag = gabor(gray.astype(np.int64), 0.6)
    groups = {
        "lbp": energy_and_entropy(codes),
        "glcm": {name: graycoprops(matrix, name)[0, 0] for name in PROPERTIES},
        "gabor": energy_and_entropy((real**2 + imag**2) // 2),
    }
    return {f"{g}_{name}": value for g, group in groups.items() for name, value in group.items()}


def features_of_all(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The features `(N, 9)` of RGB images `(N, H, W, 3)`, one after the other."""
    grays = (np.array(Image.fromarray(image).convert("L")) for image in images)
    return np.array([list(features_of(gray).values()) for gray in grays])
