import numpy as np
import pytest
from skimage.filters import gabor

from dlvc.features import gabor_magnitude


@pytest.mark.parametrize(("frequency", "theta"), [(0.6, 0), (0.2, np.pi / 3), (0.35, -1.0)])
def test_equals_scikit_image_on_an_integer_array(images, frequency, theta):
    responses = [gabor(image.astype(np.int64), frequency, theta) for image in images]
    expected = [(real**2 + imag**2) // 2 for real, imag in responses]
    np.testing.assert_array_equal(gabor_magnitude(images, frequency, theta), expected)


def test_the_lectures_settings_are_the_defaults(images):
    np.testing.assert_array_equal(gabor_magnitude(images), gabor_magnitude(images, 0.6, 0))


def test_responses_are_cut_towards_zero(images):
    """What the docstring says of `gabor` on integers, held against `gabor` on floats."""
    for image in images:
        exact = gabor(image.astype(np.float64), 0.6)
        whole = gabor(image.astype(np.int64), 0.6)
        for x, n in zip(exact, whole, strict=True):
            assert n.dtype == np.int64
            np.testing.assert_array_equal(n, np.trunc(x))


def test_a_wave_along_a_row_is_a_wave_down_a_column_of_the_transposed_image(images):
    across = gabor_magnitude(images, 0.3, 0)
    down = gabor_magnitude(images.swapaxes(1, 2), 0.3, np.pi / 2).swapaxes(1, 2)
    # Another order of summation may move a response across a whole number: by one, rarely.
    real_or_imaginary = np.abs(np.sqrt(2 * across) - np.sqrt(2 * down))
    assert real_or_imaginary.max() <= 2
    assert np.mean(across == down) > 0.9


@pytest.mark.parametrize("wrong", [np.zeros((4, 8, 8)), np.zeros((4, 8, 8, 3), np.uint8)])
def test_refuses_what_is_not_gray(wrong):
    with pytest.raises(ValueError, match=r"expected uint8 gray images of shape \(N, H, W\)"):
        gabor_magnitude(wrong)
