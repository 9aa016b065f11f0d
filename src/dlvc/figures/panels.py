"""Pictures of the report that are grids of pixels: images, kernels, maps, matrices, features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LogNorm
from numpy.typing import NDArray

from dlvc.figures.drawing import TEXT, WIDTH, Drawing, as_gray, shorten, tiles
from dlvc.figures.palette import HIGHLIGHT, rgb

MOST_CLASSES = 12  # further classes are not shown, or have no numbers
INK, PAPER = "#1B1B1B", "#F7F9FB"  # of matrices, whose cells are opaque in the dark, too


def draw_samples(
    images: NDArray[np.uint8], labels: NDArray[np.integer], classes: Sequence[str], per_class: int
) -> Drawing:
    """One row per class with its first images, (N, h, w) or (N, h, w, 3)."""
    drawing = Drawing()
    shown = [shorten(name, 11) for name in classes[:MOST_CLASSES]]
    left = 8 + 5.6 * max(map(len, shown))
    size = (WIDTH - left) / per_class
    for label, name in enumerate(shown):
        first = np.flatnonzero(labels == label)[:per_class]
        drawing.text(0, label * size + size / 2 + 3.5, name)
        row = tiles(np.asarray(images[first]), len(first))
        cell, gap = images.shape[2], row.shape[1] - len(first) * images.shape[2]
        pitch = size / (cell + gap / max(len(first) - 1, 1))  # units per pixel
        drawing.image(left, label * size, row.shape[1] * pitch, row)
    return drawing


def draw_maps(
    image: NDArray[np.uint8], lbp: NDArray[Any], glcm: NDArray[np.float64], gabor: NDArray[Any]
) -> Drawing:
    """A photograph and its three maps; of the GLCM, the part that is not empty."""
    used = np.flatnonzero(glcm.any(axis=0) | glcm.any(axis=1))
    part = slice(used[0], used[-1] + 1)
    pairs = glcm[part, part]
    share = LogNorm(pairs[pairs > 0].min() / 10, pairs.max())
    drawing = Drawing()
    panels = (
        ("photograph", image),
        ("LBP: one code per pixel", _color(as_gray(lbp), "viridis")),
        (f"GLCM: gray levels {used[0]} to {used[-1]}", _color(share(pairs), "viridis_r")),
        ("Gabor: energy per pixel", _color(as_gray(gabor), "magma")),
    )
    width = (WIDTH - 10) / 2
    for number, (title, pixels) in enumerate(panels):
        x, y = number % 2 * (width + 10), number // 2 * (width + 22)
        drawing.text(x, y + TEXT, title)
        drawing.image(x, y + 15, width, pixels)
    return drawing


def _color(values: Any, name: str) -> NDArray[np.uint8]:
    """A scalar map as RGB; masked values are white."""
    colored = mpl.colormaps[name].with_extremes(bad="white")(values, bytes=True)
    return np.asarray(colored, dtype=np.uint8)[..., :3]


def draw_kernel_grids(pair: NDArray[np.float32]) -> Drawing:
    """Kernels before training, after training, and initial − trained, as lecture 29 draws them.

    Each grid is normalised on its own scale: black is its minimum and white its maximum. `pair` is
    (2, K, h, w) or (2, K, h, w, 3).
    """
    before, after = np.asarray(pair, dtype=np.float64)
    grids = (
        ("before training", before),
        ("after training", after),
        ("initial − trained", before - after),
    )
    drawing = Drawing()
    count, height = before.shape[:2]
    in_a_row = count <= 8  # few kernels: one row each, as large as possible
    columns = count if in_a_row else 8
    across = 1 if in_a_row else 3 if height == 1 else 2
    width = (WIDTH - 10 * (across - 1)) / across
    if in_a_row:
        width = min(width, 60.0 * count)
    x = y = 0.0
    for number, (title, kernels) in enumerate(grids):
        if number and number % across == 0:
            x, y = 0.0, drawing.height + 6
        drawing.text(x, y + TEXT, title)
        drawing.image(x, y + 15, width, tiles(as_gray(kernels), columns, zoom=8))
        x += width + 10
    return drawing


def draw_matrix(counts: NDArray[np.int64], classes: Sequence[str]) -> Drawing:
    """A confusion matrix; rows are true classes. Cells are coloured by their share of the row."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    texts = [[str(count) if count else "" for count in row] for row in counts.tolist()]
    return _draw_cells(share, texts, classes, classes, "predicted class", "true")


def draw_class_means(
    features: NDArray[np.float64],
    labels: NDArray[np.integer],
    names: Sequence[str],
    classes: Sequence[str],
) -> Drawing:
    """The mean of each feature in each class, in standard deviations from the mean of all."""
    deviation = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    means = np.array([scaled[labels == label].mean(axis=0) for label in range(len(classes))])
    texts = [[f"{round(value, 1) or 0:+.1f}".replace("-", "−") for value in row] for row in means]
    return _draw_cells(means / 2, texts, classes, names, "", "")


def _draw_cells(
    values: NDArray[np.float64],
    texts: Sequence[Sequence[str]],
    rows: Sequence[str],
    columns: Sequence[str],
    across: str,
    down: str,
) -> Drawing:
    """Coloured cells with numbers: blue towards 1, red towards -1."""
    drawing = Drawing()
    few = len(rows) <= MOST_CLASSES
    step = -(-len(rows) // MOST_CLASSES)  # of many classes, every second or third has its name
    named = [shorten(name, 11) for name in rows]
    left = 10 + 5.6 * max(map(len, named))
    titles = [shorten(name, 20) for name in columns]
    turned = max(map(len, titles)) > 3
    top = 16 + (4.5 * max(map(len, titles)) if turned else 14)
    width = (WIDTH - left - (2.8 * len(titles[-1]) if turned else 0)) / len(columns)
    height = max(width * 0.8, 21) if few else width
    if across:
        drawing.text(WIDTH / 2 + left / 2, TEXT, across, anchor="middle")
        drawing.text(0, TEXT, f"{down} ↓")
    colors = np.array([[_blend(value) for value in line] for line in values.tolist()], np.uint8)
    for row in range(0, len(rows), step):
        drawing.text(left - 5, top + (row + 0.5) * height + 3.5, named[row], anchor="end")
    if not few:
        drawing.image(left, top, width * len(columns), colors)
    for (row, column), value in np.ndenumerate(values if few else values[:0]):
        x, y = left + column * width, top + row * height
        color = "#" + "".join(f"{channel:02X}" for channel in colors[row, column])
        drawing.box(x, y, width - 0.8, height - 0.8, color)
        if texts[row][column]:
            drawing.text(
                x + width / 2, y + height / 2 + 3.5, texts[row][column], anchor="middle",
                color=PAPER if abs(value) > 0.55 else INK,
            )  # fmt: skip
    for column in range(0, len(titles), step if across else 1):
        x = left + (column + 0.5) * width
        if turned:
            drawing.text(x, top - 5, titles[column], turn=-55)
        else:
            drawing.text(x, top - 5, titles[column], anchor="middle")
    return drawing


def _blend(value: float) -> list[int]:
    """The RGB of a colour between paper (0) and dark blue (1) or dark red (-1)."""
    end = (0, 72, 140) if value > 0 else (150, 45, 10)
    share = min(abs(value), 1.0) ** 0.7
    return [round(one + (two - one) * share) for one, two in zip(rgb(PAPER), end, strict=True)]


def draw_projection(
    features: NDArray[np.float64], labels: NDArray[np.integer], classes: Sequence[str]
) -> tuple[Drawing, float]:
    """The first two principal components, one panel per class; also the share of their variance.

    Every panel shows all images in gray and those of its class in blue.
    """
    centred = features - features.mean(axis=0)
    _, lengths, axes = np.linalg.svd(centred, full_matrices=False)
    largest = np.abs(axes).argmax(axis=1)
    axes *= np.sign(axes[np.arange(len(axes)), largest])[:, np.newaxis]  # SVD leaves the sign open
    points = centred @ axes[:2].T
    low, high = np.quantile(points, [0.005, 0.995], axis=0)
    size = 60
    extent = np.where(high > low, high - low, 1)
    cells = np.clip((points - low) / extent * (size - 1), 0, size - 1).round().astype(int)
    drawing = Drawing()
    shown = [shorten(name, 12) for name in classes[:MOST_CLASSES]]
    columns = min(5, len(shown))
    width = (WIDTH - 8 * (columns - 1)) / columns
    for label, name in enumerate(shown):
        pixels = np.zeros((size, size, 4), np.uint8)
        pixels[size - 1 - cells[:, 1], cells[:, 0]] = (128, 128, 128, 90)
        own = cells[labels == label]
        pixels[size - 1 - own[:, 1], own[:, 0]] = (*rgb(HIGHLIGHT), 255)
        x, y = label % columns * (width + 8), label // columns * (width + 24)
        drawing.text(x, y + TEXT, name)
        drawing.box(x, y + 14, width, width, "#888888", opacity=0.08)
        drawing.image(x, y + 14, width, pixels)
    every = float((lengths**2).sum()) or 1.0  # 0 for identical images
    return drawing, float((lengths[:2] ** 2).sum()) / every


def draw_errors(
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    predicted: NDArray[np.integer],
    probability: NDArray[np.float64],
    classes: Sequence[str],
) -> Drawing:
    """Wrongly classified images, each with its true class, the prediction and its probability."""
    drawing = Drawing()
    columns = 6
    width = (WIDTH - 8 * (columns - 1)) / columns
    for number, image in enumerate(images):
        x, y = number % columns * (width + 8), number // columns * (width + 34)
        drawing.image(x, y, width, image)
        true, wrong = (shorten(classes[found[number]], 8) for found in (labels, predicted))
        drawing.text(x, y + width + 11, f"{true} → {wrong}")
        drawing.text(x, y + width + 23, f"{100 * probability[number]:.0f} %")
    return drawing


def draw_activations(stages: Mapping[str, NDArray[np.float32]]) -> Drawing:
    """Feature maps (K, h, w) of each stage of a network; each stage has its own gray scale."""
    drawing = Drawing()
    y = 0.0
    for title, maps in stages.items():
        columns = min(len(maps), 8)
        width = min(WIDTH, 58.0 * columns)
        drawing.text(0, y + TEXT, title)
        drawing.image(0, y + 15, width, tiles(as_gray(maps), columns, zoom=4))
        y = drawing.height + 6
    return drawing
