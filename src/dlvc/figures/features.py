"""The texture maps of one image, and the distribution of the features in each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from dlvc.figures.contact_sheet import first_classes
from dlvc.figures.palette import GAP


def draw_feature_maps(
    image: NDArray[np.uint8],
    lbp: NDArray[Any],
    glcm: NDArray[np.float64],
    gabor: NDArray[Any],
    title: str,
) -> Figure:
    """Draw an image and its LBP map, its GLCM and its Gabor map.

    The Gabor map is bright along edges, and the pixel pairs at edges lie off the GLCM's diagonal.

    Args:
        image: (h, w) gray or (h, w, 3) RGB, uint8.
        lbp: (h, w), the codes 0, 1, 2 ...
        glcm: (levels, levels), the share of pixel pairs by their two gray levels. The colour scale
            is logarithmic; a cell without pairs is white.
        gabor: (h, w), half the squared magnitude of the response.
        title: the title of the figure.
    """
    figure = Figure(figsize=(7.6, 6.6), layout="constrained")
    figure.suptitle(title)
    (top_left, top_right), (bottom_left, bottom_right) = figure.subplots(2, 2)

    level = "gray level" if image.ndim == 2 else None  # an RGB image has no single scale
    _draw_map(top_left, image, Normalize(0, 255), "gray", title="image", label=level)
    codes = int(lbp.max()) + 1
    colors = mpl.colormaps["viridis"].resampled(codes)
    _draw_map(top_right, lbp, Normalize(-0.5, codes - 0.5), colors, title="LBP", label="code")
    # The scale starts well below the rarest pair. Otherwise that pair would look almost white.
    share = LogNorm(glcm[glcm > 0].min() / 10, glcm.max())
    _draw_map(bottom_left, glcm, share, "viridis_r", title="GLCM", label="share of the pixel pairs")
    bottom_left.set(xlabel="gray level of the neighbour", ylabel="gray level of the pixel")
    used = np.flatnonzero(glcm.any(axis=0) | glcm.any(axis=1))
    low, high = used[0] - 0.5, used[-1] + 0.5
    bottom_left.set(xlim=(low, high), ylim=(high, low))  # omit the empty part of the matrix
    power = Normalize(0, float(gabor.max()) or 1.0)
    _draw_map(bottom_right, gabor, power, "magma", title="Gabor", label="(real² + imaginary²) / 2")
    return figure


def draw_features_by_class(
    features: NDArray[np.float64],
    labels: NDArray[np.integer],
    names: Sequence[str],
    classes: Sequence[str],
) -> Figure:
    """Draw one panel per feature with one box plot per class.

    A box shows the median and the quartiles, and its whiskers the middle 90 %. If a box does not
    overlap the others, its feature alone separates its class from the rest.

    Args:
        features: (N, F), with columns in the order of `names`.
        labels: (N,), indices into `classes`.
        names: the names of the F features.
        classes: the names of the classes. Only the first 50 are shown.
    """
    shown, which = first_classes(classes)
    positions = range(len(shown))
    columns = 3
    rows = -(-len(names) // columns)
    size = (9.0, 0.5 + rows * (0.6 + 0.15 * len(shown)))
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(f"{len(features):,} images: median, quartiles, and middle 90 % of {which}")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes, name, feature in zip(panels, names, features.T, strict=False):
        axes.boxplot(
            [feature[labels == label] for label in positions], positions=positions, widths=0.7,
            orientation="horizontal", manage_ticks=False, whis=(5, 95), showfliers=False,
            patch_artist=True, boxprops={"facecolor": GAP, "linewidth": 0.8},
            medianprops={"color": "black", "linewidth": 1.8},
        )  # fmt: skip
        axes.set_xlabel(name)
        axes.tick_params(labelsize=8)
        axes.grid(axis="x", color="0.88", linewidth=0.8)
        axes.xaxis.set_major_locator(MaxNLocator(5))
    panels[0].set_yticks(positions, shown)  # all panels share the ticks and limits
    panels[0].set_ylim(len(shown) - 0.5, -0.5)  # the first class is on top
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    return figure


def _draw_map(
    axes: Axes,
    values: NDArray[Any],
    scale: Normalize,
    colors: str | Colormap,
    *,
    title: str,
    label: str | None,
) -> None:
    # "nearest", because values between two codes or two matrix cells have no meaning.
    mapped = axes.imshow(values, norm=scale, cmap=colors, interpolation="nearest")
    axes.set_title(title, fontsize="medium")
    axes.set(xlabel="x / pixels", ylabel="y / pixels")
    axes.tick_params(labelsize=8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    if label is not None:
        bar = axes.figure.colorbar(mapped, ax=axes, label=label, shrink=0.95)
        bar.ax.tick_params(labelsize=8)
