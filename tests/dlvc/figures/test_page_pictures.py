"""What holds for every picture of the page: same bytes, readable on a phone and in the dark."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from dlvc.figures.bands import Band, draw_bands
from dlvc.figures.diagram import Block, draw_network
from dlvc.figures.inline import as_svg, style
from dlvc.figures.networks import CURVATURE, STEPS, optimizer_paths
from dlvc.figures.palette import STYLES
from dlvc.figures.panels import (
    draw_activations,
    draw_class_means,
    draw_errors,
    draw_kernel_grids,
    draw_maps,
    draw_matrix,
    draw_projection,
    draw_samples,
)
from dlvc.figures.updates import (
    draw_all_updates,
    draw_last_updates,
    draw_paths,
    moving_points,
)

RNG = np.random.default_rng(0)
CLASSES = [f"class {letter}" for letter in "abcdefghi"] + ["immunohistochemistry"]
MANY = [f"class {number}" for number in range(120)]
LABELS = np.arange(300) % 10
PHOTOS = RNG.integers(0, 256, (300, 32, 32, 3), dtype=np.uint8)
DIGITS = PHOTOS[:, :28, :28, 0]
WEIGHTS = RNG.normal(size=2 * 64 * 7 * 7 * 3)
FEATURES = RNG.normal(size=(300, 9))
NAMES = [f"GLCM feature {number}" for number in range(9)]
GLCM = np.diag(np.linspace(0, 1, 256))
X = np.arange(1.0, 11)
LOSSES = {"per batch": np.full(600, 0.5), "per sample": RNG.exponential(size=6000)}
NOISE = ("photographs", "digits", "many classes")  # which no format can compress
PHONE = 358  # pixels of a picture's width

FIGURES: dict[str, Callable] = {
    "bands": lambda: draw_bands(
        [Band("per epoch", X, np.stack([X, X + 1]), {2: 3.0}), Band("per batch", X, X[None])],
        xlabel="epoch", ylabel="loss",
    ),
    "a thousand epochs": lambda: draw_bands(
        [Band("SGD", np.arange(1.0, 1001), np.ones((1, 1000)))],
        xlabel="epoch", ylabel="accuracy", percent=True, logarithmic=True,
    ),
    "six curves": lambda: draw_bands(
        [Band(f"{name}, batch of {n}", X, X[None]) for n in (1, 2, 3) for name in ("SGD", "Adam")],
        xlabel="epoch", ylabel="accuracy",
    ),
    "last updates": lambda: draw_last_updates({name: one[-300:] for name, one in LOSSES.items()}),
    "all updates": lambda: draw_all_updates(LOSSES, {"per batch": 10, "per sample": 10}),
    "few updates": lambda: draw_all_updates({"per batch": np.ones(2)}, {"per batch": 2}),
    "paths": lambda: draw_paths({"SGD": np.stack([X, -X], axis=1)}, (1.0, 12.0)),
}  # fmt: skip
DRAWINGS: dict[str, Callable] = {
    "photographs": lambda: draw_samples(PHOTOS, LABELS, CLASSES, 10),
    "digits": lambda: draw_samples(DIGITS, LABELS, "0123456789", 10),
    "one image of each class": lambda: draw_samples(DIGITS[:10], LABELS[:10], CLASSES, 10),
    "many classes": lambda: draw_samples(PHOTOS, np.arange(300) % 120, MANY, 10),
    "maps": lambda: draw_maps(PHOTOS[0], DIGITS[0] % 7, GLCM, PHOTOS[0, ..., 0]),
    "gray kernels": lambda: draw_kernel_grids(WEIGHTS[:300].reshape(2, 6, 5, 5)),
    "equal kernels": lambda: draw_kernel_grids(np.ones((2, 6, 5, 5))),
    "RGB kernels": lambda: draw_kernel_grids(WEIGHTS.reshape(2, 64, 7, 7, 3)),
    "1x1 kernels": lambda: draw_kernel_grids(WEIGHTS[:128].reshape(2, 64, 1, 1)),
    "matrix": lambda: draw_matrix(np.arange(100).reshape(10, 10), CLASSES),
    "empty matrix": lambda: draw_matrix(np.zeros((2, 2), np.int64), ["a", "b"]),
    "large matrix": lambda: draw_matrix(np.eye(120, dtype=np.int64), MANY),
    "means": lambda: draw_class_means(FEATURES, LABELS, NAMES, CLASSES),
    "constant features": lambda: draw_class_means(0 * FEATURES, LABELS, NAMES, CLASSES),
    "projection": lambda: draw_projection(FEATURES, LABELS, CLASSES)[0],
    "errors": lambda: draw_errors(
        DIGITS[:8], LABELS[:8], LABELS[1:9], np.linspace(1, 0.2, 8), CLASSES
    ),
    "activations": lambda: draw_activations({"a": WEIGHTS[:1600].reshape(16, 10, 10)}),
    "network": lambda: draw_network(
        [Block("input", (1, 32, 32), 0), *[Block("a", (64, 1, 1), 9)] * 6, Block("b", (10,), 850)],
        STYLES["LeNet"].color,
    ),
}  # fmt: skip


def html_of(name: str) -> str:
    if name in DRAWINGS:
        return DRAWINGS[name]().svg('a "text"')
    with style():
        return as_svg(FIGURES[name](), "chart-1", 'a "text"')


@pytest.fixture(scope="module", params=[*FIGURES, *DRAWINGS])
def picture(request):
    return request.param, html_of(request.param)


def test_the_same_data_give_the_same_small_picture(picture):
    name, html = picture
    assert html == html_of(name)
    assert len(html) < (600_000 if name in NOISE else 100_000)
    assert html.startswith("<svg ")
    assert 'aria-label="a &quot;text&quot;"' in html


def test_nothing_is_black_or_white_on_the_page(picture):
    _, html = picture
    assert not re.search(r"#000000|#fff(fff)?\b|black|white|#010203", html, re.IGNORECASE)


def test_text_has_at_least_nine_pixels_on_a_phone(picture):
    _, html = picture
    width = float(re.search(r'viewBox="[\d.]+ [\d.]+ ([\d.]+)', html)[1])
    sizes = [float(size) for size in re.findall(r'font-size(?:="|: )([\d.]+)', html)]
    assert sizes
    assert min(sizes) * PHONE / width >= 9


def test_a_curve_has_the_colour_of_its_name(picture):
    name, html = picture
    for label, one in STYLES.items():
        if f">{label}</text>" in html:
            assert one.color.lower() in html.lower(), name


def test_the_legend_covers_no_curve():
    with style():
        figure = FIGURES["bands"]()
        figure.draw_without_rendering()
        legend = figure.legends[0].get_window_extent()
        assert legend.y0 >= figure.axes[0].get_window_extent().y1


def test_before_and_after_and_difference_have_scales_of_their_own():
    pair = np.stack([np.linspace(0, 1, 54), np.linspace(0, 9, 54)]).reshape(2, 6, 3, 3)
    html = draw_kernel_grids(pair).svg("kernels")
    before, after, difference = re.findall(r'href="([^"]+)"', html)
    assert before == after
    assert difference != before  # before - after falls
    assert re.findall(r">([^<]+)</text>", html) == [
        "before training", "after training", "initial − trained",
    ]  # fmt: skip


def test_a_point_walks_along_each_path_of_an_optimizer():
    """All begin where the paths begin, and one of SGD's positions is on its line in the SVG."""
    paths = optimizer_paths()
    figure = draw_paths(paths, CURVATURE)
    svg = as_svg(figure, "chart-1", "paths")
    circles = moving_points(figure, paths)
    x, y = (
        [
            [float(value) for value in values.split(";")]
            for values in re.findall(f'"{axis}".*?values="(.*?)"', circles)
        ]
        for axis in ("cx", "cy")
    )
    assert [len(steps) for steps in (*x, *y)] == [STEPS + 1] * 6
    assert len({(xs[0], ys[0]) for xs, ys in zip(x, y, strict=True)}) == 1
    drawn = [(float(a), float(b)) for a, b in re.findall(r"[ML] ([\d.]+) ([\d.]+)", svg)]
    nearest = min(abs(a - x[0][1]) + abs(b - y[0][1]) for a, b in drawn)
    assert nearest < 0.2
