import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from skimage.feature import graycomatrix, graycoprops

from dlvc.features import (
    contrast,
    cooccurring_pairs,
    correlation,
    dissimilarity,
    energy,
    homogeneity,
)

PROPERTIES = {
    "contrast": contrast,
    "dissimilarity": dissimilarity,
    "homogeneity": homogeneity,
    "energy": energy,
    "correlation": correlation,
}
OFFSETS = [
    (2, 0),
    (1, math.pi / 4),
    (1, math.pi / 2),
    (1, 3 * math.pi / 4),
    (3, math.pi),
    (2, -math.pi / 2),
    (3, -0.2),
    (2.5, math.pi / 2),  # halves are rounded away from zero, up and down
    (1.5, -math.pi / 2),
    (1, math.pi / 6),
]
HARALICK = np.array([[[0, 0, 1, 1], [0, 0, 1, 1], [0, 2, 2, 2], [2, 2, 3, 3]]], dtype=np.uint8)

# Haralick's image, neighbours in a row, counted by hand: i down, j to the right. Row one of the
# image gives (0,0) (0,1) (1,1), and so does row two; row three (0,2) (2,2) (2,2); row four
# (2,2) (2,3) (3,3). Each pair is counted both ways, so (0,0) counts twice.
COUNTED = np.array([[4, 2, 1, 0], [2, 4, 0, 0], [1, 0, 6, 1], [0, 0, 1, 2]])


def matrix(i, j, levels):
    """The symmetric, normed co-occurrence matrix of one image's pairs."""
    counts = np.zeros((levels, levels))
    np.add.at(counts, (i, j), 1)
    np.add.at(counts, (j, i), 1)
    return counts / counts.sum()


@pytest.mark.parametrize(("distance", "angle"), OFFSETS)
def test_pairs_make_scikit_images_matrix(images, distance, angle):
    i, j = cooccurring_pairs(images[:1], distance, angle)
    expected = graycomatrix(images[0], [distance], [angle], 256, symmetric=True, normed=True)
    np.testing.assert_array_equal(matrix(i[0], j[0], 256), expected[:, :, 0, 0])


@pytest.mark.parametrize(("distance", "angle"), OFFSETS[:2])
def test_properties_equal_scikit_images(images, distance, angle):
    images = images[:8]  # scikit-image needs milliseconds for each
    i, j = cooccurring_pairs(images, distance, angle)
    matrices = [
        graycomatrix(image, [distance], [angle], 256, symmetric=True, normed=True)
        for image in images
    ]
    for name, function in PROPERTIES.items():
        expected = [graycoprops(p, name)[0, 0] for p in matrices]
        np.testing.assert_allclose(function(i, j), expected, rtol=1e-9, atol=1e-9, err_msg=name)


def test_counted_by_hand():
    i, j = cooccurring_pairs(HARALICK, distance=1, angle=0, levels=4)
    np.testing.assert_array_equal(matrix(i[0], j[0], 4) * 24, COUNTED)
    # 16 on the diagonal, 6 one off it, 2 two off it; 24 in all.
    np.testing.assert_allclose(contrast(i, j), [(6 * 1 + 2 * 4) / 24])
    np.testing.assert_allclose(dissimilarity(i, j), [(6 * 1 + 2 * 2) / 24])
    np.testing.assert_allclose(homogeneity(i, j), [(16 + 6 / 2 + 2 / 5) / 24])
    np.testing.assert_allclose(energy(i, j), [math.sqrt(84) / 24])
    # Rows sum to 7, 6, 8, 3: Σ i = 31, Σ i² = 65; Σ i j = 4 · 1 + 6 · 4 + 2 · 6 + 2 · 9 = 58.
    mean = 31 / 24
    np.testing.assert_allclose(correlation(i, j), [(58 / 24 - mean**2) / (65 / 24 - mean**2)])


def test_the_lectures_settings_are_the_defaults(images):
    i, j = cooccurring_pairs(images)
    np.testing.assert_array_equal(i, images[:, :, :-2].reshape(len(images), -1))
    np.testing.assert_array_equal(j, images[:, :, 2:].reshape(len(images), -1))


@given(arrays(np.uint8, (2, 5, 7)))
def test_the_order_of_a_pair_does_not_matter(images):
    i, j = cooccurring_pairs(images)
    for name, function in PROPERTIES.items():
        np.testing.assert_allclose(function(i, j), function(j, i), rtol=1e-12, err_msg=name)


@given(arrays(np.uint8, (2, 5, 7)))
def test_a_mirrored_or_transposed_image_has_the_same_properties(images):
    along_rows = cooccurring_pairs(images, 2, 0)
    mirrored = cooccurring_pairs(images[:, :, ::-1], 2, 0)
    transposed = cooccurring_pairs(images.swapaxes(1, 2), 2, math.pi / 2)
    for name, function in PROPERTIES.items():
        expected = function(*along_rows)
        for pairs in (mirrored, transposed):
            np.testing.assert_allclose(
                function(*pairs), expected, rtol=1e-9, atol=1e-12, err_msg=name
            )


@given(arrays(np.uint8, (2, 4, 6)))
def test_a_negative_has_the_same_properties(images):
    pairs, negative = cooccurring_pairs(images), cooccurring_pairs(255 - images)
    for name, function in PROPERTIES.items():
        np.testing.assert_allclose(
            function(*negative), function(*pairs), rtol=1e-9, atol=1e-12, err_msg=name
        )


@pytest.mark.parametrize(
    ("distance", "angle"), [(8, 0), (8, math.pi), (6, math.pi / 2), (6, -math.pi / 2)]
)
def test_an_image_without_a_pair_is_refused(distance, angle):
    with pytest.raises(ValueError, match="6 x 8 pixels are too small: no two of their pixels lie"):
        cooccurring_pairs(np.zeros((1, 6, 8), np.uint8), distance, angle)


def test_a_gray_level_out_of_range_is_refused():
    assert cooccurring_pairs(HARALICK, levels=4)
    with pytest.raises(ValueError, match="a gray level is 3, expected all below levels = 3"):
        cooccurring_pairs(HARALICK, levels=3)


@pytest.mark.parametrize("wrong", [np.zeros((4, 8, 8)), np.zeros((4, 8, 8, 3), np.uint8)])
def test_refuses_what_is_not_gray(wrong):
    with pytest.raises(ValueError, match=r"expected uint8 gray images of shape \(N, H, W\)"):
        cooccurring_pairs(wrong)
