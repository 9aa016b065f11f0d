import numpy as np
import pytest
from scipy.ndimage import center_of_mass

from dlvc.data.mnist_form import mnist_form


def bar(rows: slice, columns: slice) -> np.ndarray:
    digit = np.zeros((8, 8))
    digit[rows, columns] = 1.0
    return digit


@pytest.mark.parametrize("columns", [slice(0, 2), slice(3, 5), slice(6, 8)])
def test_a_stroke_becomes_20_pixels_high_and_stands_in_the_middle(columns: slice) -> None:
    image = mnist_form(bar(slice(0, 8), columns), None)
    assert (image.dtype, image.shape) == (np.uint8, (28, 28))
    np.testing.assert_allclose(center_of_mass(image), (13.5, 13.5), atol=0.1)
    lit = image > 127
    assert 19 <= lit.any(1).sum() <= 21  # 8 rows, 2.5 times
    assert 4 <= lit.any(0).sum() <= 6  # 2 columns, 2.5 times
    assert image.max() == 255
    assert image[0].max() == image[:, 0].max() == 0


def test_up_stays_up_and_left_stays_left() -> None:
    corner = bar(slice(0, 2), slice(0, 8)) + bar(slice(2, 8), slice(0, 2))  # ┌
    lit = mnist_form(corner, None) > 127
    rows, columns = np.flatnonzero(lit.any(1)), np.flatnonzero(lit.any(0))
    assert lit[rows[0] + 1, columns].mean() > 0.9  # the horizontal stroke is the upper one
    assert lit[rows, columns[0] + 1].mean() > 0.9  # the vertical stroke is the left one
    assert not lit[rows[-1] - 5 :, columns[-1] - 5 :].any()


def test_changes_are_small_various_and_seeded() -> None:
    digit = bar(slice(0, 8), slice(3, 5))
    rng = np.random.default_rng(1)
    images = np.stack([mnist_form(digit, rng) for _ in range(200)])
    centres = np.array([center_of_mass(image) for image in images]) - 13.5
    heights = (images > 127).any(2).sum(1)
    assert np.abs(centres).max() < 2.3
    assert np.abs(centres).max() > 1.8
    assert np.all(centres.std(0) > 0.9)  # a uniform distribution over ±2: 1.15
    assert heights.min() >= 17  # 20 · 0.9, less what turning takes
    assert heights.max() <= 24  # 20 · 1.1, and what turning adds
    assert heights.max() - heights.min() >= 4

    # Principal axis of the stroke, in degrees from upright.
    rows, columns = np.mgrid[:28, :28] - 13.5
    turns = []
    for image, (row, column) in zip(images, centres, strict=True):
        y, x = rows - row, columns - column
        turns.append(
            np.rad2deg(0.5 * np.arctan2(2 * (image * y * x).sum(), (image * (y**2 - x**2)).sum()))
        )
    assert 10 < np.abs(turns).max() < 13

    again = np.random.default_rng(1)
    np.testing.assert_array_equal(images[0], mnist_form(digit, again))
