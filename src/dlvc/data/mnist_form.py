"""Small gray digits in the form that MNIST gave its own: 28 x 28, about 20 pixels high, centred."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, center_of_mass

from dlvc.data.dataset import DIGIT_SHAPE, Images

BOX = 20  # pixels: MNIST scales a digit to fit into 20 x 20
SHIFT, TURN, SCALE = 2.0, np.deg2rad(12.0), 0.1  # largest change: pixels, radians, of the size
PADDING = 2  # pixels, so that a stroke at the border fades out rather than being cut
BLACK, WHITE = 0.15, 0.85  # of the brightest: cubic upscaling alone is paler than MNIST's strokes


def mnist_form(digit: NDArray[np.float64], rng: np.random.Generator | None) -> Images:
    """Enlarge one digit as MNIST did: in a box of 20 x 20, its centre of mass in the middle.

    Args:
        digit: a square image, white (1.0) on black (0.0), the digit as high as the image.
        rng: if given, the digit is shifted by up to 2 pixels, turned by up to 12 degrees and
            scaled by 0.9 to 1.1.

    Returns:
        uint8 (28, 28), 0 to 255.

    Source: Y. LeCun et al., Gradient-based learning applied to document recognition, 1998,
    doi:10.1109/5.726791, section III.A.
    """
    shift, turn, scale = np.zeros(2), 0.0, BOX / len(digit)
    if rng is not None:
        shift = rng.uniform(-SHIFT, SHIFT, size=2)
        turn = rng.uniform(-TURN, TURN)
        scale *= rng.uniform(1 - SCALE, 1 + SCALE)
    padded = np.pad(digit, PADDING)
    # affine_transform goes back from a pixel of the result to a place in the source:
    # source = centre of mass + matrix @ (result - middle - shift)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / scale
    middle = (np.array(DIGIT_SHAPE) - 1) / 2
    offset = np.array(center_of_mass(padded)) - matrix @ (middle + shift)
    enlarged = affine_transform(padded, matrix, offset, output_shape=DIGIT_SHAPE, order=3)
    contrasted = (enlarged - BLACK) / (WHITE - BLACK)
    pixels: Images = np.rint(255 * np.clip(contrasted, 0, 1)).astype(np.uint8)
    return pixels
