"""Stand-ins for MNIST and CIFAR-10, made from pictures that come with the libraries.

They are small and need no network. The attribute `stand_in_for` of `Dataset` names the data set
that a stand-in replaces. Training and test images have different sources: digits are divided by
original image, photographs by region. The split, the training images and the test images use
separate random streams, so the number of training images does not affect the test images.
"""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dlvc.arrays.dataset import Dataset, Images, Labels
from dlvc.data.mnist_form import mnist_form
from dvcview.errors import UserError

Corners = NDArray[np.int64]  # (B, 2): row and column of the upper left pixel

CLASSES = 10

# Only files inside the scikit-image package. Its loaders would download any others.
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
MOST_TEST_DIGITS = 1000  # of 1797; enough originals of each digit must remain for training
BLOCK, PATCH = 64, 32  # pixels
POSITIONS = BLOCK - PATCH + 1  # of a patch within a block, along each axis
TEST_BLOCKS = 1 / 5


def bundled_digits(train: int, test: int, seed: int) -> Dataset:
    """The 1797 digits of scikit-learn (8 x 8 pixels, 0 to 16) in the format of MNIST.

    The test images are unaltered originals. The training images are the remaining originals. If
    more are needed, these are repeated, shifted by up to 2 pixels, rotated by up to 12 degrees and
    scaled by 0.9 to 1.1.

    Args:
        train: the number of training images, a multiple of 10.
        test: the number of test images, a multiple of 10, up to 1000. With 1000, 74 originals of
            the rarest digit remain for training.
        seed: determines the split, the alterations and the order.

    Returns:
        images uint8 (N, 28, 28), white on black, with the same number for each class.

    Raises:
        UserError: `train` or `test` is out of range or not a multiple of 10.

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
            rng = training if n >= len(for_training) else None
            train_images.append(mnist_form(originals[i], rng))
    return Dataset(
        "UCI digits in MNIST's form (scikit-learn)",
        "MNIST",
        tuple(map(str, range(CLASSES))),
        *_shuffle(np.stack(train_images), training),
        *_shuffle(np.stack(test_images), testing),
    )


def bundled_photos(train: int, test: int, seed: int) -> Dataset:
    """Patches of ten photographs and textures of scikit-image; each picture is one class.

    Each photograph is divided into blocks of 64 x 64 pixels. A random fifth of the blocks is used
    for testing only, and each patch lies within one block, so training and test images share no
    pixel. Two training patches may overlap, and so may two test patches, but no two are
    at the same position. Gray photographs are converted to RGB.

    Args:
        train: the number of training images, a multiple of 10, up to 206 910.
        test: the number of test images, a multiple of 10, up to 54 450.
        seed: determines the blocks, the patches and the order.

    Returns:
        images uint8 (N, 32, 32, 3), RGB, with the same number for each class.

    Raises:
        UserError: `train` or `test` is out of range or not a multiple of 10.
    """
    split, training, testing = np.random.default_rng(seed).spawn(3)
    photographs = [_photograph(file) for file in PHOTOGRAPHS.values()]
    train_blocks, test_blocks = zip(*(_split_blocks(p, split) for p in photographs), strict=True)
    for name, number, blocks in (("train", train, train_blocks), ("test", test, test_blocks)):
        _check_number(name, number, min(map(len, blocks)) * POSITIONS**2 * CLASSES)

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
    """Raise an error unless `number` is a multiple of 10, which makes all classes equally large."""
    if number < CLASSES or number % CLASSES or (largest is not None and number > largest):
        up_to = "" if largest is None else f" up to {largest}"
        raise UserError(
            f"bundled pictures: {name} = {number}, expected a multiple of {CLASSES}"
            f" from {CLASSES}{up_to}; choose such a number in params.yaml"
        )


def _shuffle(images: Images, rng: np.random.Generator) -> tuple[Images, Labels]:
    """Label images that are sorted by class, the same number for each class, and shuffle them."""
    labels = np.repeat(np.arange(CLASSES, dtype=np.int64), len(images) // CLASSES)
    order = rng.permutation(len(images))
    return images[order], labels[order]


def _original_digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Images float64 (1797, 8, 8) from 0.0 to 1.0, and labels int64 (1797,)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.images / 16, digits.target


def _photograph(file: str) -> Images:
    """Read an image (H, W, 3) of the scikit-image package, without its loaders and the network."""
    import skimage

    with Image.open(Path(skimage.__file__).parent / "data" / file) as picture:
        return np.asarray(picture.convert("RGB"))


def _split_blocks(photo: Images, rng: np.random.Generator) -> tuple[Corners, Corners]:
    """The upper left corners (B, 2) of the complete blocks, for training and for testing."""
    rows, columns = photo.shape[0] // BLOCK, photo.shape[1] // BLOCK
    corners = BLOCK * rng.permutation(np.argwhere(np.ones((rows, columns))))
    test = round(len(corners) * TEST_BLOCKS)
    return corners[test:], corners[:test]


def _patches(photo: Images, blocks: Corners, number: int, rng: np.random.Generator) -> Images:
    """Draw `number` different patches (number, 32, 32, 3), each within one of the blocks."""
    positions = rng.choice(len(blocks) * POSITIONS**2, size=number, replace=False)
    block, row, column = np.unravel_index(positions, (len(blocks), POSITIONS, POSITIONS))
    windows = np.lib.stride_tricks.sliding_window_view(photo, (PATCH, PATCH), axis=(0, 1))
    corner = blocks[block] + np.stack([row, column], axis=1)
    return windows[corner[:, 0], corner[:, 1]].transpose(0, 2, 3, 1)  # from (n, 3, 32, 32)
