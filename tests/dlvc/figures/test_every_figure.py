"""What holds for every figure: same bytes twice, small, nothing cut off, no warning, no traces."""

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.figure import Figure
from sklearn.datasets import load_sample_image

from dlvc.figures.confusion import draw_confusion
from dlvc.figures.contact_sheet import draw_contact_sheet
from dlvc.figures.curves import draw_curves, draw_updates
from dlvc.figures.features import draw_feature_maps, draw_features_by_class
from dlvc.figures.gallery import write_figure
from dlvc.figures.kernels import draw_kernels

RNG = np.random.default_rng(0)
NAMES = [f"class {letter}" for letter in "abcdefghi"] + ["immunohistochemistry"]
LABELS = RNG.integers(0, 10, 3000)
RGB_KERNELS, KERNELS = RNG.normal(size=(2, 64, 7, 7, 3)), RNG.normal(size=(2, 64, 1, 1))
ONE_KERNEL = np.ones((1, 3, 3), np.float32)
PHOTO = load_sample_image("china.jpg")[:416]
PHOTOS = PHOTO.reshape(13, 32, 20, 32, 3).swapaxes(1, 2).reshape(260, 32, 32, 3)
FEATURES = RNG.normal(size=(3000, 9))
PAIRS = RNG.integers(0, 3, (256, 256)) / 65_000
FLAT = np.full((32, 32), 7, np.uint8)
ONE_PAIR = np.zeros((256, 256))
ONE_PAIR[7, 7] = 1.0

TYPICAL: dict[str, Callable[[], Figure]] = {
    "curves": lambda: draw_curves(
        range(1, 11), {"train": [0.5] * 10, "test": [0.4] * 10}, "y", "T"
    ),
    "updates per sample": lambda: draw_updates(np.sin(np.arange(600_000.0)) + 1, "per sample", "T"),
    "confusion": lambda: draw_confusion(np.arange(0, 10_000, 100).reshape(10, 10), NAMES, "T"),
    "RGB kernels": lambda: draw_kernels(*RGB_KERNELS, "T"),
    "1x1 kernels": lambda: draw_kernels(*KERNELS, "T"),
    "photographs": lambda: draw_contact_sheet(PHOTOS, np.arange(260) % 10, NAMES),
    "maps": lambda: draw_feature_maps(PHOTOS[0], FLAT, PAIRS, PHOTOS[1, ..., 0], "T"),
    "by class": lambda: draw_features_by_class(
        FEATURES, LABELS, [f"feature {k}" for k in range(9)], NAMES
    ),
}
EDGES: dict[str, Callable[[], Figure]] = {
    "one epoch": lambda: draw_curves([1], {"test": [0.5]}, "accuracy", "T"),
    "a gap": lambda: draw_curves([1, 2, 3], {"test": [0.5, np.nan, 0.7]}, "accuracy", "T"),
    "nothing but gaps": lambda: draw_curves([1, 2], {"test": [np.nan, np.nan]}, "accuracy", "T"),
    "more curves than styles": lambda: draw_curves(
        [1, 2], {name: [1, 2] for name in "abcdefgh"}, "y", "T"
    ),
    "one update": lambda: draw_updates([2.3], "per epoch", "T"),
    "last window of one update": lambda: draw_updates(np.sin(np.arange(1201.0)), "a", "T"),
    "constant losses": lambda: draw_updates(np.ones(1000), "per batch", "T"),
    "no samples": lambda: draw_confusion(np.zeros((2, 2), np.int64), ["a", "b"], "T"),
    "one class": lambda: draw_confusion(np.array([[5]]), ["a"], "T"),
    "one constant kernel": lambda: draw_kernels(ONE_KERNEL, ONE_KERNEL, "T"),
    "zero kernels": lambda: draw_kernels(0 * ONE_KERNEL, 0 * ONE_KERNEL, "T"),
    "zero RGB kernel": lambda: draw_kernels(np.zeros((1, 3, 3, 3)), np.zeros((1, 3, 3, 3)), "T"),
    "images of one class": lambda: draw_contact_sheet(PHOTOS[:3], np.zeros(3, int), NAMES),
    "gray images": lambda: draw_contact_sheet(PHOTOS[..., 0], np.arange(260) % 2, "01"),
    "one image a row": lambda: draw_contact_sheet(
        PHOTOS[:3], np.arange(3), list("abc"), per_class=1
    ),
    "flat image": lambda: draw_feature_maps(FLAT, 0 * FLAT, ONE_PAIR, 0 * FLAT, "T"),
    "class absent": lambda: draw_features_by_class(
        np.eye(4), np.array([0, 0, 1, 1]), "wxyz", "abc"
    ),
}


@pytest.fixture(autouse=True)
def _global_settings_stay_as_they_are():
    before = dict(rcParams)
    yield
    assert dict(rcParams) == before


@pytest.mark.parametrize("draw", TYPICAL.values(), ids=TYPICAL)
def test_the_same_data_give_the_same_small_file(draw, tmp_path):
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    write_figure(first, draw())
    write_figure(second, figure := draw())
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < 250_000
    assert_nothing_is_cut_off(figure)


@pytest.mark.parametrize("draw", EDGES.values(), ids=EDGES)
def test_edges_need_no_warning(draw, tmp_path):
    write_figure(tmp_path / "figure.png", figure := draw())
    assert_nothing_is_cut_off(figure)


def assert_nothing_is_cut_off(figure):
    inches, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(inches.x0, inches.y0) > -0.02
    assert inches.x1 < width + 0.02
    assert inches.y1 < height + 0.02
