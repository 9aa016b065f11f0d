"""Conversion of colour to gray, and checks of the images that the feature functions take."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


def check_images(images: NDArray[np.uint8]) -> None:
    """Raise `ValueError` unless `images` are uint8, (N, H, W) gray or (N, H, W, 3) RGB."""
    gray_or_rgb = images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3)
    if images.dtype != np.uint8 or not gray_or_rgb or 0 in images.shape[1:]:
        raise ValueError(
            "expected uint8 images of shape (N, H, W) or (N, H, W, 3), "
            f"found {images.dtype} of shape {images.shape}"
        )


def check_gray(images: NDArray[np.uint8]) -> None:
    """Raise `ValueError` unless `images` are uint8 gray, (N, H, W)."""
    if images.dtype != np.uint8 or images.ndim != 3 or 0 in images.shape[1:]:
        raise ValueError(
            "expected uint8 gray images of shape (N, H, W), "
            f"found {images.dtype} of shape {images.shape}"
        )


def to_gray(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """ITU-R 601 luma, L = 0.299 R + 0.587 G + 0.114 B, rounded as in Pillow's `convert("L")`.

    Parameters
    ----------
    images : (N, H, W, 3) uint8 RGB, or (N, H, W) uint8 gray, which is returned unchanged

    Returns
    -------
    (N, H, W) uint8

    Notes
    -----
    Pillow computes with integers: it multiplies the weights by 2^16 and adds 2^15 to round. The
    lecture's notebook reads its images with Pillow, and a gray level that differed by one would
    change every feature.

    >>> red_green_blue = np.array([[[[255, 0, 0], [0, 255, 0], [0, 0, 255]]]], np.uint8)
    >>> to_gray(red_green_blue)
    array([[[ 76, 150,  29]]], dtype=uint8)
    """
    check_images(images)
    if images.ndim == 3:
        return images
    gray = np.empty(images.shape[:3], np.uint8)
    _luma(np.ascontiguousarray(images), gray)
    return gray


@njit(nogil=True, cache=True)
def _luma(images: NDArray[np.uint8], gray: NDArray[np.uint8]) -> None:
    """Fill `gray` (N, H, W) from RGB `images` (N, H, W, 3)."""
    number, height, width = gray.shape
    for n in range(number):
        for y in range(height):
            for x in range(width):
                red, green, blue = images[n, y, x]
                gray[n, y, x] = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
