"""Training curves: a quantity over epochs, and the loss over updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from numpy.typing import ArrayLike

from dlvc.figures.palette import styles_of

MAX_MARKERS = 15  # per curve; more markers would hide the curve
MAX_WINDOWS = 600  # in the curve over updates: about the width of its axes in pixels


def draw_curves(
    epochs: Sequence[int], series: Mapping[str, Sequence[float]], ylabel: str, title: str
) -> Figure:
    """Draw one curve over epochs for each name, such as the losses `"train"` and `"test"`.

    `epochs` and each series have shape (E,). A NaN leaves a gap. The model begins to over-fit when
    the test curve turns while the training curve continues to improve.
    """
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel="epoch", ylabel=ylabel)
    _style_axes(axes)
    interval = ceil(len(epochs) / MAX_MARKERS)
    styles = styles_of(list(series))
    for (name, values), (color, line, marker) in zip(series.items(), styles, strict=True):
        axes.plot(
            epochs, values, label=name, color=color, linestyle=line, linewidth=1.8,
            marker=marker, markersize=6, markeredgecolor="white", markevery=interval,
        )  # fmt: skip
    if len(epochs) == 1:
        axes.set_xlim(epochs[0] - 0.9, epochs[0] + 0.9)  # so that this epoch is the only tick
    axes.legend(handlelength=3.2)
    return figure


def draw_updates(losses: ArrayLike, rule: str, title: str, ylabel: str = "loss") -> Figure:
    """Draw the loss of every update: `losses` (U,), in the order of the updates.

    `rule` is the name of the update rule, which has a colour of its own.

    Up to 600 updates are one curve. More updates are grouped into windows. Then the upper panel
    shows the minimum and maximum loss of each window, and the lower panel shows its mean. The
    height of the band is the jitter that averaging over a batch or an epoch removes.
    """
    losses = np.asarray(losses, dtype=np.float64)
    size = ceil(len(losses) / MAX_WINDOWS)
    color = styles_of([rule])[0].color
    starts = np.arange(0, len(losses), size)
    sizes = np.diff(starts, append=len(losses))  # the last window may be smaller
    middle = starts + (sizes + 1) / 2  # updates are counted from 1
    mean = np.add.reduceat(losses, starts) / sizes

    figure = Figure(figsize=(6.4, 4.0 if size == 1 else 4.8), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(1 if size == 1 else 2, 1, sharex=True, squeeze=False)[:, 0]
    if size > 1:  # on the scale of the maxima, the mean would be a flat line
        low, high = np.minimum.reduceat(losses, starts), np.maximum.reduceat(losses, starts)
        panels[0].fill_between(middle, low, high, color=color, linewidth=0.5)
        panels[0].set_ylabel(f"{ylabel}, minimum to maximum\nof {size:,} updates")
    marker = "o" if len(mean) < 50 else ""
    panels[-1].plot(middle, mean, color=color, linewidth=1.2, marker=marker, markersize=4)
    panels[-1].set_ylabel(ylabel if size == 1 else f"{ylabel}, mean\nof {size:,} updates")
    panels[-1].set_xlabel("update")
    for axes in panels:
        _style_axes(axes)
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    return figure


def _style_axes(axes: Axes) -> None:
    axes.grid(color="0.88", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
