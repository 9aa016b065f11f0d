"""Kernels of a convolution before and after training, and what training added to them."""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from dlvc.figures.mosaic import draw_mosaic, mosaic
from dlvc.figures.palette import SKY_BLUE

Kernels = NDArray[np.float32]


def draw_kernels(before: Kernels, after: Kernels, title: str) -> Figure:
    """Three grids of kernels: before training, after it, and after minus before.

    Both arrays are (K, h, w), drawn in gray, or (K, h, w, 3), drawn in RGB, with the weights as
    they are. Mid-gray is a weight of 0, black the most negative, white the most positive one; in
    RGB so for each channel. Before and after share one scale, the difference has its own. Look
    for stripes and blobs (gradient operators) that the random kernels did not have.
    """
    # Gray as in the lectures, and no red and blue: printed in black and white these lose the sign.
    # The lectures' `make_grid(normalize=True)` stretches each panel by itself; one scale for
    # before and after is what lets a reader compare their intensities.
    change = after - before
    shared = _symmetric(np.stack([before, after]))

    rows, columns = _shape(len(before))
    tall = rows * before.shape[1] / (columns * before.shape[2])
    figure = Figure(figsize=(9.0, 1.4 + 2.8 * tall), layout="compressed")  # fixed aspect
    figure.suptitle(title)
    left, middle, right = figure.subplots(1, 3, gridspec_kw={"wspace": 0.06})
    _draw_grid(left, before, "before", shared)
    trained = _draw_grid(middle, after, "after", shared)
    added = _draw_grid(right, change, "after − before", _symmetric(change))

    unit = "weight" if before.ndim == 3 else "weight of R, G or B"
    for image, label, over, part in (
        (trained, unit, [left, middle], 0.5),
        (added, f"change of {unit}", [right], 0.9),
    ):
        figure.colorbar(
            image, ax=over, location="bottom", shrink=part, aspect=30, pad=0.04, label=label,
            ticks=MaxNLocator(5, steps=[1, 2, 5, 10]),
        )  # fmt: skip
    return figure


def _shape(count: int) -> tuple[int, int]:
    """Rows and columns of a grid about as wide as high: 64 as 8 x 8, 6 as 2 x 3."""
    columns = ceil(sqrt(count))
    return ceil(count / columns), columns


def _symmetric(weights: Kernels) -> Normalize:
    """The scale from -limit to limit, such that 0 is the middle of the grays."""
    limit = float(np.abs(weights).max()) or 1.0  # no weight but 0: any scale will do
    return Normalize(-limit, limit)


def _draw_grid(axes: Axes, kernels: Kernels, title: str, scale: Normalize) -> AxesImage:
    rows, columns = _shape(len(kernels))
    if kernels.ndim == 3:
        picture = mosaic(kernels, columns, blank=np.nan)  # NaN is left transparent
        gap = SKY_BLUE  # the one colour that is no weight
    else:
        picture = mosaic(scale(kernels), columns, blank=1.0)  # RGB in [0, 1], blank is white
        gap = "white"
    axes.set_title(title, fontsize="medium")
    return draw_mosaic(axes, picture, rows, columns, scale, gap=gap, interpolation="nearest")
