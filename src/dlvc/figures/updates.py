"""Charts of losses update by update, and of steps on a loss surface."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from dlvc.figures.bands import SIZE, add_legend, style_axes
from dlvc.figures.palette import styles_of

WINDOWS = 150  # of one curve, each with a minimum, a mean and a maximum
POINTS = 72  # per inch, the unit of an SVG by matplotlib
SECONDS = 12  # for a whole path
LOWEST = 1e-4  # smaller losses are drawn at this height


def draw_last_updates(losses: Mapping[str, NDArray[np.float64]]) -> Figure:
    """Draw the losses (U,) of each rule's last updates, one panel per rule, on one log scale."""
    figure = Figure(figsize=SIZE, layout="constrained")
    panels = figure.subplots(len(losses), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    handles = []
    for axes, (name, values), style in zip(
        panels, losses.items(), styles_of(list(losses)), strict=True
    ):
        x = np.arange(1, len(values) + 1)
        handles += axes.plot(
            x, np.maximum(values, LOWEST), label=name, color=style.color, linewidth=1
        )
    _finish(figure, panels, "update", "loss")
    add_legend(figure, handles)
    return figure


def draw_all_updates(
    losses: Mapping[str, NDArray[np.float64]], epochs: Mapping[str, int]
) -> Figure:
    """Draw the losses (U,) of each rule as windows: minimum to maximum, and the mean.

    The x axis counts epochs, in which all rules see the same images. `epochs` has their number.
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    panels = figure.subplots(len(losses), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    handles = []
    for axes, (name, values), style in zip(
        panels, losses.items(), styles_of(list(losses)), strict=True
    ):
        edges = np.linspace(0, len(values), min(WINDOWS, len(values)) + 1).astype(int)
        starts, sizes = edges[:-1], np.diff(edges)
        x = (starts + sizes / 2) / len(values) * epochs[name]
        mean = np.add.reduceat(values, starts) / sizes
        low, high = (
            np.maximum(extreme.reduceat(values, starts), LOWEST)
            for extreme in (np.minimum, np.maximum)
        )
        axes.fill_between(x, low, high, color=style.color, alpha=0.3, linewidth=0)
        handles += axes.plot(x, mean, label=name, color=style.color, linewidth=1.6)
    _finish(figure, panels, "epoch", "loss")
    add_legend(figure, handles)
    return figure


def _finish(figure: Figure, panels: NDArray[np.object_], xlabel: str, ylabel: str) -> None:
    for axes in panels:
        style_axes(axes)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=4))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    panels[-1].set_xlabel(xlabel)
    figure.supylabel(ylabel, fontsize="medium")


def draw_paths(paths: Mapping[str, NDArray[np.float32]], curvature: tuple[float, float]) -> Figure:
    """Draw ways (S, 2) over the contour lines of a valley, with a marker at every fifth step."""
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot(xlabel="weight 1", ylabel="weight 2")
    every = np.concatenate(list(paths.values()))
    (left, bottom), (right, top) = every.min(0) - 0.25, every.max(0) + 0.25
    x, y = np.meshgrid(np.linspace(left, right, 80), np.linspace(bottom, top, 80))
    loss = (curvature[0] * x**2 + curvature[1] * y**2) / 2
    levels = np.geomspace(0.02, float(loss.max()), 9)
    axes.contour(x, y, loss, levels=levels, colors="#888888", linewidths=0.7, alpha=0.6)
    handles = []
    for (name, path), style in zip(paths.items(), styles_of(list(paths)), strict=True):
        handles += axes.plot(
            path[:, 0], path[:, 1], label=name, color=style.color, linestyle=style.line,
            linewidth=1.6, marker=style.marker, markersize=4.5, markevery=5,
        )  # fmt: skip
    axes.plot([0], [0], color="#888888", marker="+", markersize=12, markeredgewidth=1.8)
    axes.spines[["top", "right"]].set_visible(False)
    add_legend(figure, handles)
    return figure


def moving_points(figure: Figure, paths: Mapping[str, NDArray[np.float32]]) -> str:
    """SVG circles that walk along the paths of `draw_paths`, all with the same time per step.

    `figure` must have been saved as SVG before, because that computes where its axes are.
    """
    (axes,) = figure.axes
    height = figure.get_figheight() * POINTS
    circles = ""
    for (name, path), style in zip(paths.items(), styles_of(list(paths)), strict=True):
        x, y = (axes.transData.transform(path) * POINTS / figure.dpi).T
        moves = "".join(
            f'<animate attributeName="{attribute}" dur="{SECONDS}s" repeatCount="indefinite" '
            f'values="{";".join(f"{value:.1f}" for value in values)}"/>'
            for attribute, values in (("cx", x), ("cy", height - y))
        )
        title = f"<title>{name}</title>"
        circles += f'<circle class="moving" r="6" fill="{style.color}">{title}{moves}</circle>'
    return circles
