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
    """Draw three grids of kernels: before training, after training, and initial − trained.

    Both arrays hold unscaled weights: (K, h, w), drawn in gray, or (K, h, w, 3), drawn in RGB. As
    in lectures 29 and 40 (`make_grid(normalize=True)`), each grid has a scale of its own: its
    smallest weight is black and its largest is white; in RGB this applies to all channels together.
    So intensities can be compared within a grid, and between two grids only by their scales.
    Trained kernels can show stripes and blobs (gradient operators) that random kernels lack.

    Deviation: the rows of the grid make it nearly square. The lectures put six kernels (29) or
    eight (40) in a row.
    """
    # Gray, as in the lectures. A red-blue scale would lose the sign in a black-and-white print.
    rows, columns = _shape(len(before))
    aspect = rows * before.shape[1] / (columns * before.shape[2])
    # The "compressed" layout is for axes of a fixed aspect.
    figure = Figure(figsize=(9.0, 1.4 + 2.8 * aspect), layout="compressed")
    figure.suptitle(title)
    unit = "weight" if before.ndim == 3 else "weight of R, G or B"
    grids = (
        ("before", before, unit),
        ("after", after, unit),
        ("initial − trained", before - after, f"difference of {unit}"),
    )
    panels = figure.subplots(1, 3, gridspec_kw={"wspace": 0.06})
    for axes, (name, kernels, label) in zip(panels, grids, strict=True):
        image = _draw_grid(axes, kernels, name, _full_range(kernels))
        figure.colorbar(
            image, ax=axes, location="bottom", shrink=0.9, aspect=30, pad=0.04, label=label,
            ticks=MaxNLocator(4, steps=[1, 2, 5, 10]),
        )  # fmt: skip
    return figure


def _shape(count: int) -> tuple[int, int]:
    """The rows and columns of a nearly square grid, such as (8, 8) for 64 and (2, 3) for 6."""
    columns = ceil(sqrt(count))
    return ceil(count / columns), columns


def _full_range(weights: Kernels) -> Normalize:
    """The scale from the smallest weight to the largest; equal weights become mid-gray."""
    low, high = float(weights.min()), float(weights.max())
    return Normalize(low, high) if low < high else Normalize(low - 1, low + 1)


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
