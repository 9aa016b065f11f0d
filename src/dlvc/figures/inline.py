"""Pictures that are embedded in the page.

Curves are SVG, so they are sharp at any size, and their text follows the page's dark mode.
"""

from __future__ import annotations

import base64
import html
import io
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from dlvc.figures.mosaic import mosaic

INK = "#010203"  # a colour that no picture uses; `as_svg` replaces it by the colour of the text
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # keep text as text, in the page's font
    "svg.hashsalt": "dlvc",  # otherwise ids are random
    "font.family": "sans-serif",
    "font.size": 10,
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    ),
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "legend.labelcolor": INK,
}


@dataclass(frozen=True)
class Picture:
    """The HTML of a picture, and its caption."""

    html: str
    caption: str


def style() -> AbstractContextManager[None]:
    """A context in which matplotlib draws figures in the style of the page."""
    return mpl.rc_context(STYLE)


def as_svg(figure: Figure, name: str, text: str) -> str:
    """Convert a figure to inline SVG. The same figure always gives the same SVG.

    `name` is a prefix that makes the ids unique in the page. `text` describes the figure for screen
    readers.
    """
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(?<=\bid=")', f"{name}-", svg)
    svg = re.sub(r'(?<=url\(#)|(?<=href="#)', f"{name}-", svg)
    svg = svg.replace(INK, "currentColor")
    svg = re.sub(
        r"<svg [^>]*?viewBox=\"([^\"]*)\"[^>]*>", r'<svg viewBox="\1" role="img">', svg, count=1
    )
    return svg.replace(">", f' aria-label="{html.escape(text)}">', 1)


def as_pixels(kernels: NDArray[np.float64], columns: int, text: str, *, largest: float) -> str:
    """Convert kernels `(K, h, w)` or `(K, h, w, 3)` to an HTML image with one pixel per weight.

    A weight of -`largest` is black, 0 is gray and `largest` is white; in RGB this applies to each
    channel. `text` describes the image for screen readers.
    """
    scaled = np.clip((kernels / largest + 1) / 2, 0, 1) if largest else np.full(kernels.shape, 0.5)
    gap = [(0, 0), (0, 1), (0, 1), (0, 0)][: kernels.ndim]
    grid = mosaic(np.pad(scaled, gap, constant_values=1), columns, 1)[:-1, :-1]
    out = io.BytesIO()
    Image.fromarray((grid * 255).round().astype(np.uint8)).save(out, format="PNG")
    data = base64.b64encode(out.getvalue()).decode()
    height, width = grid.shape[:2]
    return (
        f'<img class="pixels" alt="{html.escape(text)}" width="{width}" height="{height}" '
        f'src="data:image/png;base64,{data}">'
    )
