"""Curves of several seeds as bands, together with the values that a lecture prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    LogLocator,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
    StrMethodFormatter,
)
from numpy.typing import NDArray

from dlvc.figures.palette import OTHER, styles_of

MAX_POINTS = 300  # per curve; at the size of the figure more points look the same
# At this size a phone shows the text, which has 10 points, with 10 pixels.
SIZE = (4.9, 3.5)
# The lecture's values: open markers.
PRINTED: dict[str, Any] = {
    "linestyle": "", "markersize": 10, "fillstyle": "none", "markeredgewidth": 1.6,
}  # fmt: skip


@dataclass(frozen=True)
class Band:
    """One curve: `x` (E,), `y` (seeds, E), and the lecture's values by their position on x."""

    label: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    printed: Mapping[int, float] = field(default_factory=dict)


def draw_bands(
    bands: Sequence[Band],
    *,
    xlabel: str,
    ylabel: str,
    logarithmic: bool = False,
    percent: bool = False,
) -> Figure:
    """Draw each band as its mean over the seeds and the area between its minimum and maximum.

    The lecture's values are large open markers with the colour and shape of their curve.
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot(xlabel=xlabel, ylabel=ylabel)
    style_axes(axes)
    styles = styles_of([band.label for band in bands])
    handles: list[Line2D] = []
    for band, (color, line, marker) in zip(bands, styles, strict=True):
        points = _select_points(len(band.x), logarithmic=logarithmic)
        x, y = band.x[points], band.y[:, points]
        if len(y) > 1:
            axes.fill_between(x, y.min(0), y.max(0), color=color, alpha=0.22, linewidth=0)
        handles += axes.plot(
            x, y.mean(0), label=band.label, color=color, linestyle=line, linewidth=1.8,
            marker=marker if len(x) <= 30 else "", markersize=4.5,
        )  # fmt: skip
        if band.printed:
            axes.plot(
                list(band.printed), list(band.printed.values()), color=color, marker=marker,
                **PRINTED,
            )  # fmt: skip
    if logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=6))  # more labels would overlap
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))  # 100,000 and 0.001
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    if percent:
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=None))
    if any(band.printed for band in bands):
        style = styles[0] if len(bands) == 1 else OTHER
        handles += axes.plot(
            [], [], label="printed in the lecture", color=style.color, marker=style.marker,
            **PRINTED,
        )  # fmt: skip
    add_legend(figure, handles)
    return figure


def style_axes(axes: Axes) -> None:
    """Draw a thin grid, and no frame on the top and on the right."""
    axes.grid(color="#888888", alpha=0.25, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def add_legend(figure: Figure, handles: Sequence[Line2D]) -> None:
    """Draw the legend above the axes, where it covers no curve."""
    longest = max(len(str(handle.get_label())) for handle in handles)
    columns = 3 if longest <= 10 else 2 if longest <= 24 else 1
    figure.legend(
        handles=list(handles), loc="outside upper left", ncols=min(columns, len(handles)),
        handlelength=2.6, columnspacing=1.2, handletextpad=0.5, borderpad=0.1, frameon=False,
    )  # fmt: skip


def _select_points(count: int, *, logarithmic: bool) -> NDArray[np.intp]:
    """The indices of the points to draw, evenly spaced on the axis, including both ends."""
    if count <= MAX_POINTS:
        return np.arange(count)
    if logarithmic:
        positions = np.geomspace(1, count, MAX_POINTS)
    else:
        positions = np.linspace(1, count, MAX_POINTS)
    return np.unique(positions.round().astype(np.intp)) - 1
