import numpy as np
import pytest
import skimage.feature
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlvc.features import local_binary_pattern

SETTINGS = [
    (5, 2),
    (8, 1),
    (7, 3),
    (8, 2.3),  # ties that hang on the last bit
    (12, 1.999999),
    (4, 12.0000051),  # 12.00001 once rounded, though 12 if it were single precision
    (1, 1),
]


@pytest.mark.parametrize(("neighbours", "radius"), SETTINGS)
def test_equals_scikit_image_code_for_code(images, neighbours, radius):
    expected = [
        skimage.feature.local_binary_pattern(image, neighbours, radius, "uniform")
        for image in images
    ]
    np.testing.assert_array_equal(local_binary_pattern(images, neighbours, radius), expected)


def test_the_lectures_settings_are_the_defaults(images):
    np.testing.assert_array_equal(local_binary_pattern(images), local_binary_pattern(images, 5, 2))


@given(
    arrays(np.uint8, (1, 7, 8), elements=st.integers(0, 155)),
    st.integers(1, 100),
    st.integers(1, 3),
)
def test_a_brighter_image_has_the_same_codes(image, constant, radius):
    """Away from the border, behind which the image does not get brighter.

    Four neighbours at a whole radius need no interpolation, so no rounding can break a tie.
    """
    codes = local_binary_pattern(image, 4, radius)
    brighter = local_binary_pattern(image + np.uint8(constant), 4, radius)
    inside = slice(radius, -radius)
    np.testing.assert_array_equal(codes[:, inside, inside], brighter[:, inside, inside])


@given(arrays(np.uint8, (1, 6, 5)))
def test_half_a_turn_of_the_image_turns_the_codes_of_two_neighbours(image):
    codes = local_binary_pattern(image, 2, 1)
    turned = local_binary_pattern(image[:, ::-1, ::-1], 2, 1)
    np.testing.assert_array_equal(turned, codes[:, ::-1, ::-1])


def test_an_image_does_not_see_its_neighbours(images):
    alone = np.concatenate([local_binary_pattern(images[n : n + 1]) for n in range(len(images))])
    np.testing.assert_array_equal(local_binary_pattern(images), alone)


@pytest.mark.parametrize("neighbours", [0, -1, 255])
def test_refuses_codes_that_fit_no_byte(neighbours):
    with pytest.raises(ValueError, match=f"neighbours must be 1 to 254 .*, found {neighbours}"):
        local_binary_pattern(np.zeros((1, 8, 8), np.uint8), neighbours)


@pytest.mark.parametrize("wrong", [np.zeros((4, 8, 8)), np.zeros((4, 8, 8, 3), np.uint8)])
def test_refuses_what_is_not_gray(wrong):
    with pytest.raises(ValueError, match=r"expected uint8 gray images of shape \(N, H, W\)"):
        local_binary_pattern(wrong)
