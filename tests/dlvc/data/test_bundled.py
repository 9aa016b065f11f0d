from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import center_of_mass
from sklearn.datasets import load_digits

from dlvc.arrays.dataset import ARRAYS, Dataset, check_dataset
from dlvc.data import bundled
from dlvc.data.bundled import bundled_digits, bundled_photos
from dvcview.errors import UserError

MAKERS = pytest.mark.parametrize("make", [bundled_digits, bundled_photos])
Maker = Callable[[int, int, int], Dataset]


@MAKERS
def test_types_sizes_and_balance(make: Maker) -> None:
    dataset = make(100, 50, 0)
    check_dataset(dataset)
    shape = (28, 28) if make is bundled_digits else (32, 32, 3)
    assert dataset.train_images.shape == (100, *shape)
    assert dataset.test_images.shape == (50, *shape)
    assert np.bincount(dataset.train_labels).tolist() == [10] * 10
    assert np.bincount(dataset.test_labels).tolist() == [5] * 10
    assert dataset.stand_in_for == ("MNIST" if make is bundled_digits else "CIFAR-10")
    assert len(dataset.classes) == 10


@MAKERS
def test_a_seed_decides_everything(make: Maker) -> None:
    first, again, other = make(100, 50, 3), make(100, 50, 3), make(100, 50, 4)
    for array in ARRAYS:
        assert getattr(first, array).tobytes() == getattr(again, array).tobytes()
        assert getattr(first, array).tobytes() != getattr(other, array).tobytes()
    # Not ordered by class.
    assert np.count_nonzero(np.diff(first.train_labels)) > 50


@MAKERS
def test_more_training_images_change_no_test_image(make: Maker) -> None:
    few, many = make(10, 50, 3), make(3000, 50, 3)
    np.testing.assert_array_equal(few.test_images, many.test_images)
    np.testing.assert_array_equal(few.test_labels, many.test_labels)


@MAKERS
@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (15, 10, "train = 15, expected a multiple of 10"),
        (0, 10, "train = 0"),
        (10, 7, "test = 7"),
        (10, 1_000_000, "test = 1000000, expected a multiple of 10 from 10 up to [0-9]+;"),
    ],
)
def test_other_numbers_are_refused(make: Maker, train: int, test: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make(train, test, 0)


@MAKERS
def test_the_limits_are_those_of_the_docstring(make: Maker) -> None:
    train, test = (10, 1000) if make is bundled_digits else (206_910, 54_450)
    documented = "".join((make.__doc__ or "").split())
    assert f"upto{test}" in documented
    with pytest.raises(UserError, match=rf"up to {test};"):
        make(10, test + 10, 0)
    assert len(make(10, test, 0).test_images) == test
    if make is bundled_photos:
        assert f"upto{train}" in documented
        with pytest.raises(UserError, match=rf"up to {train};"):
            make(train + 10, 10, 0)


def test_no_digit_is_in_both_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of an enlarged digit, its number among the originals is written into the image."""
    digits = load_digits()
    number = {(image / 16).tobytes(): i for i, image in enumerate(digits.images)}
    assert len(number) == 1797  # no two originals are alike

    def numbered(digit: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
        image = np.zeros((28, 28), np.uint8)
        image[0, :3] = *divmod(number[digit.tobytes()], 256), rng is not None
        return image

    monkeypatch.setattr(bundled, "mnist_form", numbered)
    dataset = bundled_digits(3000, 1000, 5)
    found = []
    for images, labels in (
        (dataset.train_images, dataset.train_labels),
        (dataset.test_images, dataset.test_labels),
    ):
        originals = images[:, 0, 0].astype(int) * 256 + images[:, 0, 1]
        np.testing.assert_array_equal(digits.target[originals], labels)
        found.append((originals, images[:, 0, 2] == 1))
    (train, changed), (test, test_changed) = found
    assert not set(train) & set(test)
    assert not test_changed.any()
    assert len(set(test)) == 1000
    # Every other original is there, once unaltered, and about as often as its like.
    assert sorted(train[~changed]) == sorted(set(range(1797)) - set(test))
    for digit in range(10):
        times = np.unique(train[digits.target[train] == digit], return_counts=True)[1]
        assert times.max() - times.min() <= 1


def test_test_digits_look_like_mnist() -> None:
    dataset = bundled_digits(10, 1000, 0)
    images = dataset.test_images
    centres = np.array([center_of_mass(image) for image in images])
    assert np.abs(centres - 13.5).max() < 1.0
    lit = images > 127
    assert 17 < lit.any(2).sum(1).mean() < 22  # rows, about 20
    assert np.median(images, axis=(1, 2)).max() == 0  # white on black
    assert 30 < images.mean() < 50  # MNIST: 33
    assert (images.max(axis=(1, 2)) > 240).all()


def test_no_pixel_of_a_photograph_is_in_both_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of a colour, every pixel of a photograph holds its own number."""
    sizes = {}
    photograph = bundled._photograph

    def numbered(file: str) -> np.ndarray:
        height, width = photograph(file).shape[:2]
        sizes[file] = (height, width)
        numbers = np.arange(height * width).reshape(height, width)
        return np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], 2).astype(np.uint8)

    monkeypatch.setattr(bundled, "_photograph", numbered)
    dataset = bundled_photos(3000, 1000, 2)

    def pixels(images: np.ndarray, labels: np.ndarray, label: int) -> np.ndarray:
        r, g, b = np.moveaxis(images[labels == label].astype(int), 3, 0)
        return r << 16 | g << 8 | b  # (N, 32, 32)

    for label, (height, width) in enumerate(sizes.values()):
        train = pixels(dataset.train_images, dataset.train_labels, label)
        test = pixels(dataset.test_images, dataset.test_labels, label)
        assert not np.intersect1d(train, test).size
        for part in (train, test):
            rows, columns = np.divmod(part, width)
            assert (np.ptp(rows, axis=(1, 2)) == 31).all()  # a connected patch, not mixed up
            assert (np.ptp(columns, axis=(1, 2)) == 31).all()
            assert (np.diff(rows, axis=1) == 1).all()
            assert (np.diff(columns, axis=2) == 1).all()
            assert len(np.unique(part[:, 0, 0])) == len(part)  # none comes twice
        # About one block in five is for testing; nearly all of both are seen.
        blocks = [
            len({(r // 64, c // 64) for r, c in zip(*np.divmod(part[:, 0, 0], width), strict=True)})
            for part in (train, test)
        ]
        whole = (height // 64) * (width // 64)
        assert 0.15 * whole - 1 <= blocks[1] <= 0.25 * whole
        assert blocks[0] >= 0.5 * whole


def test_photographs_come_from_the_package_and_differ() -> None:
    import skimage.data

    np.testing.assert_array_equal(bundled._photograph("astronaut.png"), skimage.data.astronaut())
    brick = bundled._photograph("brick.png")
    np.testing.assert_array_equal(brick, np.stack([skimage.data.brick()] * 3, axis=2))
    dataset = bundled_photos(1000, 10, 0)
    means = [dataset.train_images[dataset.train_labels == c].mean((0, 1, 2)) for c in range(10)]
    distances = np.linalg.norm(np.array(means)[:, None] - np.array(means), axis=2)
    assert (distances[~np.eye(10, dtype=bool)] > 1).all()
