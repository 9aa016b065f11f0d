import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from skimage.feature import graycomatrix, graycoprops

import dlvc.features
from dlvc.features import PROPERTIES, cooccurring_pairs

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


properties = dlvc.features.graycoprops  # ours; scikit-image's has the same name


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
    expected = [[graycoprops(p, name)[0, 0] for name in PROPERTIES] for p in matrices]
    np.testing.assert_allclose(properties(i, j), expected, rtol=1e-9, atol=1e-9)


def test_counted_by_hand():
    i, j = cooccurring_pairs(HARALICK, distance=1, angle=0, levels=4)
    np.testing.assert_array_equal(matrix(i[0], j[0], 4) * 24, COUNTED)
    # Rows sum to 7, 6, 8, 3: Σ i = 31, Σ i² = 65; Σ i j = 4 · 1 + 6 · 4 + 2 · 6 + 2 · 9 = 58.
    mean = 31 / 24
    expected = {  # 16 on the diagonal, 6 one off it, 2 two off it; 24 in all
        "contrast": (6 * 1 + 2 * 4) / 24,
        "dissimilarity": (6 * 1 + 2 * 2) / 24,
        "homogeneity": (16 + 6 / 2 + 2 / 5) / 24,
        "energy": math.sqrt(84) / 24,
        "correlation": (58 / 24 - mean**2) / (65 / 24 - mean**2),
    }
    np.testing.assert_allclose(properties(i, j), [[expected[name] for name in PROPERTIES]])


def test_the_lectures_settings_are_the_defaults(images):
    i, j = cooccurring_pairs(images)
    np.testing.assert_array_equal(i, images[:, :, :-2].reshape(len(images), -1))
    np.testing.assert_array_equal(j, images[:, :, 2:].reshape(len(images), -1))


@given(arrays(np.uint8, (2, 5, 7)))
def test_the_order_of_a_pair_does_not_matter(images):
    i, j = cooccurring_pairs(images)
    np.testing.assert_allclose(properties(i, j), properties(j, i), rtol=1e-12)


@given(arrays(np.uint8, (2, 5, 7)))
def test_a_mirrored_or_transposed_image_has_the_same_properties(images):
    along_rows = cooccurring_pairs(images, 2, 0)
    mirrored = cooccurring_pairs(images[:, :, ::-1], 2, 0)
    transposed = cooccurring_pairs(images.swapaxes(1, 2), 2, math.pi / 2)
    expected = properties(*along_rows)
    for pairs in (mirrored, transposed):
        np.testing.assert_allclose(properties(*pairs), expected, rtol=1e-9, atol=1e-12)


@given(arrays(np.uint8, (1, 6, 7)))
def test_equals_the_definitions_for_any_image(image):
    """Flat and nearly flat images among them, where a variance is a small difference."""
    i, j = cooccurring_pairs(image)
    p = matrix(i[0], j[0], 256)
    row, column = np.indices(p.shape)
    d, mean = row - column, np.sum(p * row)
    variance = np.sum(p * (row - mean) ** 2)
    covariance = np.sum(p * (row - mean) * (column - mean))
    expected = [
        np.sum(p * d**2),
        np.sum(p * abs(d)),
        np.sum(p / (1 + d**2)),
        np.sqrt(np.sum(p**2)),
        covariance / variance if variance > 0 else 1,
    ]
    np.testing.assert_allclose(properties(i, j)[0], expected, rtol=1e-9, atol=1e-9)


@given(arrays(np.uint8, (2, 4, 6)))
def test_a_negative_has_the_same_properties(images):
    pairs, negative = cooccurring_pairs(images), cooccurring_pairs(255 - images)
    expected = properties(*pairs)
    np.testing.assert_allclose(properties(*negative), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("distance", "angle"), [(8, 0), (8, math.pi), (6, math.pi / 2), (6, -math.pi / 2)]
)
def test_an_image_without_a_pair_is_refused(distance, angle):
    with pytest.raises(ValueError, match="6 x 8 pixels are too small: no two of their pixels are"):
        cooccurring_pairs(np.zeros((1, 6, 8), np.uint8), distance, angle)


def test_a_gray_level_out_of_range_is_refused():
    assert cooccurring_pairs(HARALICK, levels=4)
    with pytest.raises(ValueError, match="a gray level is 3, expected less than levels = 3"):
        cooccurring_pairs(HARALICK, levels=3)


@pytest.mark.parametrize("wrong", [np.zeros((4, 8, 8)), np.zeros((4, 8, 8, 3), np.uint8)])
def test_refuses_what_is_not_gray(wrong):
    with pytest.raises(ValueError, match=r"expected uint8 gray images of shape \(N, H, W\)"):
        cooccurring_pairs(wrong)
