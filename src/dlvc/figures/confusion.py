"""A confusion matrix as a figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

MOST_COUNTS = 50  # classes; with more, the cells are too small for numbers


def draw_confusion(matrix: NDArray[np.int64], classes: Sequence[str], title: str) -> Figure:
    """Draw a (C, C) confusion matrix: rows are true classes, columns are predicted classes.

    Each cell is coloured by its share of the true class, and shows its count if there are at most
    `MOST_COUNTS` classes. A dark cell off the diagonal is a frequent error. If its mirror cell is
    also dark, the model confuses the two classes in both directions. If not, it predicts one class
    for images of the other.
    """
    totals = matrix.sum(axis=1, keepdims=True)
    share = matrix / np.maximum(totals, 1)  # a class without samples has a row of zeros

    count, longest = len(classes), max(map(len, classes))
    # In inches. The names beside and below the cells need more space.
    cells = 0.48 * min(max(count, 5), MOST_COUNTS)
    size = (cells + 0.09 * longest + 1.9, cells + 0.06 * longest + 1.0)
    figure = Figure(figsize=size, layout="compressed")  # for axes of a fixed aspect
    axes = figure.add_subplot(title=title, xlabel="predicted class", ylabel="true class")
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), number in np.ndenumerate(matrix if count <= MOST_COUNTS else matrix[:0]):
        ink = "white" if share[row, column] > 0.5 else "black" if number else "0.7"
        axes.text(column, row, f"{number}", color=ink, fontsize=8, ha="center", va="center")
    named = range(0, count, -(-count // MOST_COUNTS))  # every class, or every second or third
    axes.set_xticks(named, [classes[index] for index in named])
    if longest > 3:
        axes.tick_params(axis="x", labelrotation=45)
        for name in axes.get_xticklabels():
            name.set(horizontalalignment="right", rotation_mode="anchor")
    axes.set_yticks(named, [classes[index] for index in named])
    axes.tick_params(length=0)
    bar = figure.colorbar(image, shrink=0.9, format=PercentFormatter(xmax=1))
    bar.set_label("share of the true class")
    return figure
