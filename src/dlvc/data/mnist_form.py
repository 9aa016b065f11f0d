"""Small gray digits in the format of MNIST: 28 x 28 pixels, about 20 pixels high, centred."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, center_of_mass

from dlvc.arrays.dataset import DIGIT_SHAPE, Images

BOX = 20  # pixels; MNIST scales a digit to fit into 20 x 20
SHIFT, ROTATION, SCALE = 2.0, np.deg2rad(12.0), 0.1  # largest change: pixels, radians, relative
PADDING = 2  # pixels; with it a stroke at the border fades out and is not cut off
BLACK, WHITE = 0.15, 0.85  # stretched to 0 and 1: cubic upscaling makes strokes paler than MNIST's


def mnist_form(digit: NDArray[np.float64], rng: np.random.Generator | None) -> Images:
    """Enlarge one digit to a box of 20 x 20 and centre its mass, as MNIST does.

    Args:
        digit: float64 (S, S), white (1.0) on black (0.0). The digit is as high as the image.
        rng: if given, it draws a shift of up to 2 pixels, a rotation of up to 12 degrees and a
            scale of 0.9 to 1.1.

    Returns:
        uint8 (28, 28), 0 to 255.

    Source: Y. LeCun et al., Gradient-based learning applied to document recognition, 1998,
    doi:10.1109/5.726791, section III.A.
    """
    shift, rotation, scale = np.zeros(2), 0.0, BOX / len(digit)
    if rng is not None:
        shift = rng.uniform(-SHIFT, SHIFT, size=2)
        rotation = rng.uniform(-ROTATION, ROTATION)
        scale *= rng.uniform(1 - SCALE, 1 + SCALE)
    padded = np.pad(digit, PADDING)
    # affine_transform maps each pixel of the result to a position in the source:
    # source = centre of mass + matrix @ (result - middle - shift)
    cos, sin = np.cos(rotation), np.sin(rotation)
    matrix = np.array([[cos, -sin], [sin, cos]]) / scale
    middle = (np.array(DIGIT_SHAPE) - 1) / 2
    offset = np.array(center_of_mass(padded)) - matrix @ (middle + shift)
    enlarged = affine_transform(padded, matrix, offset, output_shape=DIGIT_SHAPE, order=3)
    contrasted = (enlarged - BLACK) / (WHITE - BLACK)
    pixels: Images = np.rint(255 * np.clip(contrasted, 0, 1)).astype(np.uint8)
    return pixels
