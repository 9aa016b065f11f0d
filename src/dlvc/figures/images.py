"""A first look at a data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dlvc.figures.mosaic import draw_mosaic, mosaic

CELL = 0.28  # inches an image: about 32 pixels at 110 dpi, and 100 photographs in 250 kB


def draw_contact_sheet(
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    classes: Sequence[str],
    per_class: int = 10,
) -> Figure:
    """A row a class, in it the first `per_class` images of that class in the data set's order.

    `images` are (N, h, w) gray or (N, h, w, 3) RGB, uint8, and may be a memory map: only what is
    shown is read. `labels` (N,) are indices into `classes`. Look for images in a wrong row, lying
    on their side, or in swapped colours.
    """
    shape = images.shape[1:]
    cells = np.full((len(classes), per_class, *shape), 255, np.uint8)  # white where a class ends
    for label, row in enumerate(cells):
        first = np.flatnonzero(labels == label)[:per_class]
        row[: len(first)] = images[first]
    picture = mosaic(cells.reshape(-1, *shape), per_class, blank=255)

    longest = max(map(len, classes))
    width = max(per_class * CELL, 2.2) + 0.09 * longest + 0.2  # wide enough for the title
    figure = Figure(figsize=(width, len(classes) * CELL + 0.4), layout="compressed")  # fixed aspect
    axes = figure.add_subplot()
    axes.set_title(f"The first {per_class} of each class", fontsize="medium")
    draw_mosaic(axes, picture, len(classes), per_class, Normalize(0, 255))
    axes.set_yticks(np.arange(len(classes)) + 0.5, classes)
    axes.tick_params(length=0)
    return figure
