"""A grid of many small images with thin gaps, similar to `torchvision.utils.make_grid`."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.image import AxesImage
from numpy.typing import NDArray


def mosaic(cells: NDArray[Any], columns: int, blank: float) -> NDArray[Any]:
    """Arrange cells (K, h, w) or (K, h, w, 3) row by row in an image (rows * h, columns * w, ...).

    Unused cells of the last row are filled with `blank`.

    >>> mosaic(np.array([[[1]], [[2]], [[3]]]), columns=2, blank=0)
    array([[1, 2],
           [3, 0]])
    """
    count, height, width, *channels = cells.shape
    rows = -(-count // columns)
    grid = np.full((rows * columns, *cells.shape[1:]), blank, cells.dtype)
    grid[:count] = cells
    grid = grid.reshape(rows, columns, height, width, *channels)
    grid = grid.swapaxes(1, 2)  # (rows, height, columns, width, ...)
    return grid.reshape(rows * height, columns * width, *channels)


def draw_mosaic(
    axes: Axes,
    picture: NDArray[Any],
    rows: int,
    columns: int,
    gray: Normalize,
    *,
    gap: str = "white",
    interpolation: str | None = None,
) -> AxesImage:
    """Draw a mosaic so that cell (r, c) covers x = c ... c + 1 and y = r ... r + 1.

    `gray` is the scale of a mosaic without colours. `gap` is the colour of the lines between and
    around the cells.
    """
    height, width = picture.shape[0] / rows, picture.shape[1] / columns
    image = axes.imshow(
        picture,
        cmap="gray",
        norm=gray,
        extent=(0, columns, rows, 0),
        aspect=height / width,
        interpolation=interpolation,
    )
    # The gaps are lines on top of the image, so they have the same width for all cell sizes.
    axes.hlines(range(1, rows), 0, columns, color=gap, linewidth=1.5)
    axes.vlines(range(1, columns), 0, rows, color=gap, linewidth=1.5)
    axes.spines[:].set(color=gap, linewidth=1.5)
    axes.set(xticks=[], yticks=[])
    return image
