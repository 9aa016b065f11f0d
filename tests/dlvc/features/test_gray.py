import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from dlvc.features import to_gray


def pillow_gray(images):
    return np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in images])


def test_is_pillows_conversion(rgb_images):
    np.testing.assert_array_equal(to_gray(rgb_images), pillow_gray(rgb_images))


def test_is_pillows_conversion_for_a_lattice_of_all_colours():
    levels = np.unique(np.append(np.arange(0, 256, 3), [1, 127, 128, 254, 255])).astype(np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1)  # (91, 91, 91, 3)
    np.testing.assert_array_equal(to_gray(colours), pillow_gray(colours))


@given(arrays(np.uint8, st.tuples(st.just(1), st.integers(1, 5), st.integers(1, 5), st.just(3))))
def test_is_pillows_conversion_for_any_image(images):
    np.testing.assert_array_equal(to_gray(images), pillow_gray(images))


def test_gray_stays_as_it_is(images):
    assert to_gray(images) is images


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 8, 8), np.float64),
        np.zeros((4, 8, 8), np.int64),
        np.zeros((8, 8), np.uint8),
        np.zeros((4, 8, 8, 4), np.uint8),
        np.zeros((4, 0, 8), np.uint8),
    ],
)
def test_says_what_it_expected_and_what_it_found(wrong):
    with pytest.raises(ValueError, match=r"expected uint8 images .* found \w+ of shape \("):
        to_gray(wrong)
