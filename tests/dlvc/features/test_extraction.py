import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.feature import local_binary_pattern
from skimage.filters import gabor

import dlvc.features
from benchmarks.lecture_features import features_of
from dlvc.data.bundled import bundled_photos
from dlvc.features import FEATURE_NAMES, extract, extraction, gabor_magnitude, to_gray


def assert_equals_the_lectures_loop(features, grays):
    vectors = [features_of(gray) for gray in grays]
    for name, column in zip(FEATURE_NAMES, features.T, strict=True):
        expected = [vector[name] for vector in vectors]
        tolerance = 1e-9 if name.startswith("glcm") else 1e-12
        np.testing.assert_allclose(column, expected, rtol=tolerance, atol=tolerance, err_msg=name)


def test_equals_the_lectures_loop_over_gray_images(images):
    assert_equals_the_lectures_loop(extract(images[:8]), images[:8])


def test_equals_the_lectures_loop_over_rgb_images(rgb_images):
    grays = [np.array(Image.fromarray(image).convert("L")) for image in rgb_images]
    assert_equals_the_lectures_loop(extract(rgb_images), grays)


def test_names_stand_in_the_lectures_order(rgb_images):
    assert tuple(features_of(rgb_images[0, ..., 0])) == FEATURE_NAMES


@pytest.mark.parametrize(
    ("setting", "moved"),
    [
        ({"lbp_neighbours": 8}, "lbp"),
        ({"lbp_radius": 1.0}, "lbp"),
        ({"lbp_bins": 4}, "lbp"),
        ({"glcm_distance": 1}, "glcm"),
        ({"glcm_angle": np.pi / 2}, "glcm"),
        ({"gabor_frequency": 0.2}, "gabor"),
        ({"gabor_theta": np.pi / 4}, "gabor"),
        ({"gabor_bins": 4}, "gabor"),
    ],
)
def test_a_setting_moves_the_features_it_names_and_no_other(rgb_images, setting, moved):
    changed = (extract(rgb_images) != extract(rgb_images, **setting)).any(axis=0)
    assert dict(zip(FEATURE_NAMES, changed, strict=True)) == {
        name: name.startswith(moved) for name in FEATURE_NAMES
    }


def test_levels_bound_the_gray_levels():
    with pytest.raises(ValueError, match="expected less than levels = 16"):
        extract(np.full((1, 8, 8), 16, np.uint8), glcm_levels=16)


def test_chunks_of_a_memory_map_make_no_difference(tmp_path, monkeypatch, rgb_images):
    expected = extract(rgb_images)
    np.save(tmp_path / "images.npy", rgb_images)
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    for chunk_pixels in (1, 3 * 32 * 32 + 5):  # one image at a time; three, and a rest
        monkeypatch.setattr(extraction, "CHUNK_PIXELS", chunk_pixels)
        np.testing.assert_array_equal(extract(images), expected)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_memory_map_is_not_held_in_memory(tmp_path):
    path = tmp_path / "images.npy"
    np.save(path, np.zeros((40_000, 32, 32, 3), np.uint8))  # 120 MB

    def held() -> int:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(re.search(r"RssFile:\s+(\d+) kB", status)[1])

    images = np.load(path, mmap_mode="r")
    extract(images[:64])
    before = held()
    extract(images)
    assert held() - before < 20_000


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_change_no_value(rgb_images, monkeypatch, threads):
    expected = extract(rgb_images, threads=1)
    monkeypatch.setattr(extraction, "CHUNK_PIXELS", 3 * 32 * 32)
    np.testing.assert_array_equal(extract(rgb_images, threads=threads), expected)


def test_an_error_in_one_chunk_ends_all(monkeypatch):
    monkeypatch.setattr(extraction, "CHUNK_PIXELS", 64)
    images = np.zeros((50, 8, 8), np.uint8)
    images[20] = 200
    done = []
    with pytest.raises(ValueError, match="a gray level is 200"):
        extract(images, glcm_levels=16, threads=2, progress=done.append)
    assert done == list(range(1, 21))


def test_every_bundled_photograph_has_scikit_images_maps():
    """All of them, since a response that is nearly a whole number is one in ten thousands."""
    photos = bundled_photos(train=2500, test=500, seed=1)
    grays = to_gray(np.concatenate([photos.train_images, photos.test_images]))
    codes, magnitudes = dlvc.features.local_binary_pattern(grays), gabor_magnitude(grays)
    for gray, code, magnitude in zip(grays, codes, magnitudes, strict=True):
        real, imag = gabor(gray.astype(np.int64), 0.6)
        np.testing.assert_array_equal(magnitude, (real**2 + imag**2) // 2)
        np.testing.assert_array_equal(code, local_binary_pattern(gray, 5, 2, "uniform"))


def test_progress_counts_the_images_done(monkeypatch, rgb_images):
    monkeypatch.setattr(extraction, "CHUNK_PIXELS", 10 * 32 * 32)
    assert len(rgb_images) == 36
    done = []
    extract(rgb_images, progress=done.append)
    assert done == [10, 20, 30, 36]


@pytest.mark.parametrize("shape", [(0, 32, 32), (0, 32, 32, 3)])
def test_no_images_have_no_features(shape):
    features = extract(np.empty(shape, np.uint8))
    assert features.shape == (0, 9)
    assert features.dtype == np.float64


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((0, 8, 8), np.float64),
        np.zeros((4, 8, 8), np.float32),
        np.zeros((8, 8), np.uint8),
        np.zeros((4, 8, 8, 1), np.uint8),
        np.zeros((4, 8, 0), np.uint8),
    ],
)
def test_says_what_it_expected_and_what_it_found(wrong):
    with pytest.raises(ValueError, match=r"expected uint8 images .* found \w+ of shape \("):
        extract(wrong)


def test_images_too_small_for_a_pair_are_refused():
    with pytest.raises(ValueError, match="5 x 2 pixels are too small"):
        extract(np.zeros((3, 5, 2), np.uint8))
