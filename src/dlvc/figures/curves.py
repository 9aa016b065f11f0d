"""Curves of training: one quantity over epochs, and the loss after each single update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from numpy.typing import ArrayLike

from dlvc.figures.palette import BLACK, BLUE, GREEN, ORANGE, PURPLE, VERMILION

# The strongest colours first. Dashes and markers say the same once more, for readers of a print in
# black and white.
STYLES = (
    (BLUE, "-", "o"),
    (VERMILION, "--", "s"),
    (GREEN, "-.", "^"),
    (PURPLE, ":", "D"),
    (BLACK, (0, (5, 1, 1, 1, 1, 1)), "v"),
    (ORANGE, (0, (1, 1)), "X"),
)
MARKERS = 15  # on one curve: more of them would hide it
WINDOWS = 600  # of the curve of updates: about the width of its axes in pixels


def draw_curves(
    epochs: Sequence[int], series: Mapping[str, Sequence[float]], ylabel: str, title: str
) -> Figure:
    """One quantity over epochs, one curve a name, such as a loss of `"train"` and of `"test"`.

    `epochs` and each series are (E,); a NaN leaves a gap. Look for the epoch at which the test
    curve turns while the training curve goes on: from there on the model learns by heart.
    """
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel="epoch", ylabel=ylabel)
    _tidy(axes)
    every = ceil(len(epochs) / MARKERS)
    for (name, values), (color, line, marker) in zip(series.items(), cycle(STYLES), strict=False):
        axes.plot(
            epochs, values, label=name, color=color, linestyle=line, linewidth=1.8,
            marker=marker, markersize=6, markeredgecolor="white", markevery=every,
        )  # fmt: skip
    if len(epochs) == 1:
        axes.set_xlim(epochs[0] - 0.9, epochs[0] + 0.9)  # this epoch is then the only tick
    axes.legend(handlelength=3.2)
    return figure


def draw_updates(losses: ArrayLike, title: str, ylabel: str = "loss") -> Figure:
    """The loss after each single update: `losses` (U,) in the order of the updates.

    Up to 600 updates are one curve. More are gathered in windows: above, the smallest to the
    largest loss of each, below their mean. Look for the band's height: that jitter is what an
    average over a batch, or over an epoch, takes out of an update.
    """
    losses = np.asarray(losses, dtype=np.float64)
    size = ceil(len(losses) / WINDOWS)
    starts = np.arange(0, len(losses), size)
    sizes = np.diff(starts, append=len(losses))  # the last window may be smaller
    middle = starts + (sizes + 1) / 2  # updates are counted from 1
    mean = np.add.reduceat(losses, starts) / sizes

    figure = Figure(figsize=(6.4, 4.0 if size == 1 else 4.8), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(1 if size == 1 else 2, 1, sharex=True, squeeze=False)[:, 0]
    if size > 1:  # both in one panel would press the mean of single samples flat on the axis
        low, high = np.minimum.reduceat(losses, starts), np.maximum.reduceat(losses, starts)
        panels[0].fill_between(middle, low, high, color=BLUE, linewidth=0.5)
        panels[0].set_ylabel(f"{ylabel}, least to greatest\nof {size:,} updates")
    marker = "o" if len(mean) < 50 else ""
    panels[-1].plot(middle, mean, color=VERMILION, linewidth=1.2, marker=marker, markersize=4)
    panels[-1].set_ylabel(ylabel if size == 1 else f"{ylabel}, mean\nof {size:,} updates")
    panels[-1].set_xlabel("update")
    for axes in panels:
        _tidy(axes)
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    return figure


def _tidy(axes: Axes) -> None:
    axes.grid(color="0.88", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
