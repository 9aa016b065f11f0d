"""The texture maps of one image, from which its features are computed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.feature import graycomatrix

from dlvc.features.gabor import gabor_magnitude
from dlvc.features.gray import to_gray
from dlvc.features.lbp import local_binary_pattern
from dlvc.params.schema import Features


def texture_maps(image: NDArray[np.uint8], settings: Features) -> dict[str, NDArray[Any]]:
    """The image and its LBP, GLCM and Gabor maps.

    Args:
        image: uint8 `(H, W, 3)`.
        settings: the section `features` of params.yaml.

    Returns:
        `image`; `lbp` `(H, W)`, the codes; `glcm` float64 `(256, 256)`, the share of pixel pairs by
        their two gray levels; `gabor` `(H, W)`, the halved squared magnitude of the response.
    """
    lbp, glcm, gabor = settings.lbp, settings.glcm, settings.gabor
    gray = to_gray(image[np.newaxis])  # (1, H, W)
    matrix = graycomatrix(gray[0], [glcm.distance], [glcm.angle], symmetric=True, normed=True)
    return {
        "image": image,
        "lbp": local_binary_pattern(gray, lbp.neighbours, lbp.radius)[0],
        "glcm": matrix[:, :, 0, 0],
        "gabor": gabor_magnitude(gray, gabor.frequency, gabor.theta)[0],
    }
