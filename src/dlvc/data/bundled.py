"""Stand-ins for MNIST and CIFAR-10, made from pictures that come with the libraries.

They need no network and are small, but they are not those data sets: a `Dataset` from here says
so in `stand_in_for`. Nothing is in both training and testing: digits are divided by original
image, photographs by region. Splitting, training and testing draw from random streams of their
own, so that the number of training images changes no test image.
"""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dlvc.data.dataset import Dataset, Images, Labels
from dlvc.data.mnist_form import mnist_form
from dvcview.errors import UserError

Corners = NDArray[np.int64]  # (B, 2): row and column of the upper left pixel

CLASSES = 10

# Only files of the scikit-image package itself: others its loaders would fetch from the network.
PHOTOGRAPHS = {
    "astronaut": "astronaut.png",
    "brick": "brick.png",
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "galaxies": "hubble_deep_field.jpg",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "rocket": "rocket.jpg",
    "tissue": "ihc.png",
}
MOST_TEST_DIGITS = 1000  # of 1797: enough originals of every digit must remain for training
BLOCK, PATCH = 64, 32  # pixels
PLACES = BLOCK - PATCH + 1  # of a patch within a block, along one axis
TEST_BLOCKS = 1 / 5


def bundled_digits(train: int, test: int, seed: int) -> Dataset:
    """The 1797 digits of scikit-learn (8 x 8 pixels, 0 to 16), brought to MNIST's form.

    The test images are unaltered originals. The training images are the other originals, first
    unaltered and then, until there are enough, shifted by up to 2 pixels, turned by up to 12
    degrees and scaled by 0.9 to 1.1.

    Args:
        train: number of training images, a multiple of 10.
        test: number of test images, a multiple of 10, up to 1000: then 74 originals of the rarest
            digit remain for training.
        seed: decides the split, the changes and the order.

    Returns:
        images uint8 (N, 28, 28), white on black; the ten classes equally often.

    Raises:
        UserError: `train` or `test` is not such a number.

    Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine
    Learning Repository, 1998, doi:10.24432/C50P49 (its test set).
    """
    originals, targets = _original_digits()
    _check_number("train", train, None)
    _check_number("test", test, MOST_TEST_DIGITS)
    split, training, testing = np.random.default_rng(seed).spawn(3)

    train_images, test_images = [], []
    for digit in range(CLASSES):
        shuffled = split.permutation(np.flatnonzero(targets == digit))
        for_testing, for_training = np.split(shuffled, [test // CLASSES])
        test_images += [mnist_form(originals[i], None) for i in for_testing]
        for n, i in zip(range(train // CLASSES), cycle(for_training), strict=False):
            change = training if n >= len(for_training) else None
            train_images.append(mnist_form(originals[i], change))
    return Dataset(
        "UCI digits in MNIST's form (scikit-learn)",
        "MNIST",
        tuple(map(str, range(CLASSES))),
        *_shuffle(np.stack(train_images), training),
        *_shuffle(np.stack(test_images), testing),
    )


def bundled_photos(train: int, test: int, seed: int) -> Dataset:
    """Patches of ten photographs and textures of scikit-image; each picture is one class.

    A photograph is divided into blocks of 64 x 64 pixels. A seeded choice of one block in five
    is for testing only, and a patch lies within one block: no pixel is in both parts. Within a
    part patches overlap, but none is at the same place as another. Gray photographs are repeated
    to RGB.

    Args:
        train: number of training images, a multiple of 10, up to 206 910.
        test: number of test images, a multiple of 10, up to 54 450.
        seed: decides the blocks, the patches and the order.

    Returns:
        images uint8 (N, 32, 32, 3), RGB; the ten classes equally often.

    Raises:
        UserError: `train` or `test` is not such a number.
    """
    split, training, testing = np.random.default_rng(seed).spawn(3)
    photographs = [_photograph(file) for file in PHOTOGRAPHS.values()]
    train_blocks, test_blocks = zip(*(_split_blocks(p, split) for p in photographs), strict=True)
    for name, number, blocks in (("train", train, train_blocks), ("test", test, test_blocks)):
        _check_number(name, number, min(map(len, blocks)) * PLACES**2 * CLASSES)

    def draw(blocks: tuple[Corners, ...], number: int, rng: np.random.Generator) -> Images:
        pairs = zip(photographs, blocks, strict=True)
        return np.concatenate([_patches(p, b, number // CLASSES, rng) for p, b in pairs])

    return Dataset(
        "patches of ten photographs (scikit-image)",
        "CIFAR-10",
        tuple(PHOTOGRAPHS),
        *_shuffle(draw(train_blocks, train, training), training),
        *_shuffle(draw(test_blocks, test, testing), testing),
    )


def _check_number(name: str, number: int, largest: int | None) -> None:
    """A multiple of 10, so that the classes are equally frequent."""
    if number < CLASSES or number % CLASSES or (largest is not None and number > largest):
        up_to = "" if largest is None else f" up to {largest}"
        raise UserError(
            f"bundled pictures: {name} = {number}, expected a multiple of {CLASSES}"
            f" from {CLASSES}{up_to}; choose such a number in params.yaml"
        )


def _shuffle(images: Images, rng: np.random.Generator) -> tuple[Images, Labels]:
    """Images that come ordered by class, equally many of each, in random order with labels."""
    labels = np.repeat(np.arange(CLASSES, dtype=np.int64), len(images) // CLASSES)
    order = rng.permutation(len(images))
    return images[order], labels[order]


def _original_digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Images (1797, 8, 8) from 0.0 to 1.0, labels (1797,)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.images / 16, digits.target


def _photograph(file: str) -> Images:
    """A picture (H, W, 3) of the scikit-image package; its own loaders might use the network."""
    import skimage

    with Image.open(Path(skimage.__file__).parent / "data" / file) as picture:
        return np.asarray(picture.convert("RGB"))


def _split_blocks(photo: Images, rng: np.random.Generator) -> tuple[Corners, Corners]:
    """Upper left corners (B, 2) of the whole blocks: for training, for testing."""
    rows, columns = photo.shape[0] // BLOCK, photo.shape[1] // BLOCK
    corners = BLOCK * rng.permutation(np.argwhere(np.ones((rows, columns))))
    test = round(len(corners) * TEST_BLOCKS)
    return corners[test:], corners[:test]


def _patches(photo: Images, blocks: Corners, number: int, rng: np.random.Generator) -> Images:
    """`number` different patches (number, 32, 32, 3), each within one of the blocks."""
    places = rng.choice(len(blocks) * PLACES**2, size=number, replace=False)
    block, row, column = np.unravel_index(places, (len(blocks), PLACES, PLACES))
    windows = np.lib.stride_tricks.sliding_window_view(photo, (PATCH, PATCH), axis=(0, 1))
    corner = blocks[block] + np.stack([row, column], axis=1)
    return windows[corner[:, 0], corner[:, 1]].transpose(0, 2, 3, 1)  # (n, 3, 32, 32) before
