"""The kernels of a convolution before and after training, and their difference."""

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
from dlvc.figures.palette import GAP

Kernels = NDArray[np.float32]


def draw_kernels(before: Kernels, after: Kernels, title: str) -> Figure:
    """Draw three grids of kernels: before training, after training, and after minus before.

    Both arrays hold unscaled weights: (K, h, w), drawn in gray, or (K, h, w, 3), drawn in RGB. A
    weight of 0 is mid-gray, negative weights are darker and positive weights are lighter; in RGB
    this applies to each channel. Before and after share one scale, and the difference has its own.
    Trained kernels can show stripes and blobs (gradient operators) that random kernels lack.
    """
    # Gray, as in the lectures. A red-blue scale would lose the sign in a black-and-white print.
    # The lectures' `make_grid(normalize=True)` scales each panel separately. One common scale makes
    # the intensities before and after comparable.
    change = after - before
    shared = _symmetric(np.stack([before, after]))

    rows, columns = _shape(len(before))
    aspect = rows * before.shape[1] / (columns * before.shape[2])
    # The "compressed" layout is for axes of a fixed aspect.
    figure = Figure(figsize=(9.0, 1.4 + 2.8 * aspect), layout="compressed")
    figure.suptitle(title)
    left, middle, right = figure.subplots(1, 3, gridspec_kw={"wspace": 0.06})
    _draw_grid(left, before, "before", shared)
    trained = _draw_grid(middle, after, "after", shared)
    added = _draw_grid(right, change, "after − before", _symmetric(change))

    unit = "weight" if before.ndim == 3 else "weight of R, G or B"
    for image, label, panels, shrink in (
        (trained, unit, [left, middle], 0.5),
        (added, f"change of {unit}", [right], 0.9),
    ):
        figure.colorbar(
            image, ax=panels, location="bottom", shrink=shrink, aspect=30, pad=0.04, label=label,
            ticks=MaxNLocator(5, steps=[1, 2, 5, 10]),
        )  # fmt: skip
    return figure


def _shape(count: int) -> tuple[int, int]:
    """The rows and columns of a nearly square grid, such as (8, 8) for 64 and (2, 3) for 6."""
    columns = ceil(sqrt(count))
    return ceil(count / columns), columns


def _symmetric(weights: Kernels) -> Normalize:
    """A scale that is symmetric around 0, so that a weight of 0 is mid-gray."""
    limit = float(np.abs(weights).max()) or 1.0  # if all weights are 0, any scale works
    return Normalize(-limit, limit)


def _draw_grid(axes: Axes, kernels: Kernels, title: str, scale: Normalize) -> AxesImage:
    rows, columns = _shape(len(kernels))
    if kernels.ndim == 3:
        grid = mosaic(kernels, columns, blank=np.nan)  # NaN is transparent
        gap = GAP  # no weight has this colour
    else:
        grid = mosaic(scale(kernels), columns, blank=1.0)  # RGB in [0, 1]; blank cells are white
        gap = "white"
    axes.set_title(title, fontsize="medium")
    return draw_mosaic(axes, grid, rows, columns, scale, gap=gap, interpolation="nearest")
