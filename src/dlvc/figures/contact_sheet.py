"""A contact sheet of a data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dlvc.figures.mosaic import draw_mosaic, mosaic

MOST_CLASSES = 50  # further classes are not shown
CELL = 0.28  # inches per image: about 32 pixels at 110 dpi; 100 photographs take 250 kB


def first_classes(classes: Sequence[str]) -> tuple[Sequence[str], str]:
    """The classes that a figure shows, and which of all they are, for its title.

    >>> first_classes(["cat", "dog"])
    (['cat', 'dog'], 'each class')
    """
    shown = classes[:MOST_CLASSES]
    if len(shown) == len(classes):
        return shown, "each class"
    return shown, f"the first {len(shown)} of {len(classes)} classes"


def draw_contact_sheet(
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    classes: Sequence[str],
    per_class: int = 10,
) -> Figure:
    """Draw one row per class with the first `per_class` images of the class.

    The sheet reveals wrong labels, rotated images and swapped colour channels.

    Args:
        images: (N, h, w) gray or (N, h, w, 3) RGB, uint8. It can be a memory map; only the images
            that are shown are read.
        labels: (N,), indices into `classes`.
        classes: the names of the classes. At most `MOST_CLASSES` are shown.
        per_class: the number of images per class.
    """
    shape = images.shape[1:]
    shown, which = first_classes(classes)
    # Cells stay white if a class has fewer images.
    cells = np.full((len(shown), per_class, *shape), 255, np.uint8)
    for label, row in enumerate(cells):
        first = np.flatnonzero(labels == label)[:per_class]
        row[: len(first)] = images[first]
    grid = mosaic(cells.reshape(-1, *shape), per_class, blank=255)

    longest = max(map(len, shown))
    width = max(per_class * CELL, 2.2) + 0.09 * longest + 0.2  # wide enough for the title
    # The "compressed" layout is for axes of a fixed aspect.
    figure = Figure(figsize=(width, len(shown) * CELL + 0.4), layout="compressed")
    axes = figure.add_subplot()
    axes.set_title(f"The first {per_class} images of {which}", fontsize="medium")
    draw_mosaic(axes, grid, len(shown), per_class, Normalize(0, 255))
    axes.set_yticks(np.arange(len(shown)) + 0.5, shown)
    axes.tick_params(length=0)
    return figure
