"""Gray images of every kind that has a trap in it, as stacks (N, H, W)."""

import numpy as np
import pytest
from skimage import data


def patches(image, size=32, step=96):
    """Squares cut from a picture, as a stack."""
    starts = range(0, image.shape[0] - size + 1, step)
    return np.stack([image[r : r + size, c : c + size] for r in starts for c in starts])


def random_images(shape, low=0, high=256):
    return np.random.default_rng(7).integers(low, high, shape, dtype=np.uint8)


STACKS = {
    "random": lambda: random_images((20, 32, 32)),
    "wide": lambda: random_images((6, 11, 40)),
    "tall": lambda: random_images((6, 37, 9)),
    "two gray levels": lambda: random_images((10, 24, 24), 0, 2) * np.uint8(255),
    "three gray levels": lambda: random_images((10, 24, 24), 0, 3) * np.uint8(85),
    "low contrast": lambda: random_images((10, 24, 24), 100, 104),
    "flat": lambda: np.repeat(np.arange(256, dtype=np.uint8), 81).reshape(256, 9, 9)[::5],
    "ramp": lambda: np.broadcast_to(np.arange(30, dtype=np.uint8), (1, 30, 30)),
    "one bright pixel": lambda: np.pad(np.full((1, 1, 1), 255, np.uint8), ((0, 0), (9, 9), (4, 8))),
    "brick": lambda: patches(data.brick()),
    "astronaut": lambda: patches(data.astronaut()[..., 1]),
}


@pytest.fixture(params=STACKS)
def images(request):
    return STACKS[request.param]()


@pytest.fixture
def rgb_images():
    return patches(data.astronaut())
