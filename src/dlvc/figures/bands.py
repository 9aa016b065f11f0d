"""Curves of several seeds as bands, together with the values that a lecture prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from dlvc.figures.palette import STYLES

MAX_POINTS = 400  # per curve; at the size of the figure more points look the same


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
    size: tuple[float, float] = (6.4, 3.6),
) -> Figure:
    """Draw each band as its mean over the seeds and the area between its minimum and maximum.

    The lecture's values are large open markers with the colour and shape of their curve.
    """
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot(xlabel=xlabel, ylabel=ylabel)
    axes.grid(color="#888888", alpha=0.25, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    for band, (color, line, marker) in zip(bands, cycle(STYLES), strict=False):
        points = _select_points(len(band.x), logarithmic=logarithmic)
        x, y = band.x[points], band.y[:, points]
        if len(y) > 1:
            axes.fill_between(x, y.min(0), y.max(0), color=color, alpha=0.22, linewidth=0)
        axes.plot(
            x, y.mean(0), label=band.label, color=color, linestyle=line, linewidth=1.8,
            marker=marker if len(x) <= 30 else "", markersize=4.5,
        )  # fmt: skip
        if band.printed:
            axes.plot(
                list(band.printed), list(band.printed.values()), label=f"{band.label} (lecture)",
                color=color, linestyle="", marker=marker, markersize=10, fillstyle="none",
                markeredgewidth=1.6,
            )  # fmt: skip
    if logarithmic:
        axes.set_xscale("log")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if percent:
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=None))
    axes.legend(handlelength=3.2, framealpha=0, fontsize=9)
    return figure


def _select_points(count: int, *, logarithmic: bool) -> NDArray[np.intp]:
    """The indices of the points to draw, evenly spaced on the axis, including both ends."""
    if count <= MAX_POINTS:
        return np.arange(count)
    if logarithmic:
        positions = np.geomspace(1, count, MAX_POINTS)
    else:
        positions = np.linspace(1, count, MAX_POINTS)
    return np.unique(positions.round().astype(np.intp)) - 1
