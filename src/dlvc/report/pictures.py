"""Pictures that stand in the page itself: sharp at any size, and readable in the dark."""

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

INK = "#010203"  # no picture has this colour; it becomes that of the page's text
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text, in the page's own font
    "svg.hashsalt": "dlvc",  # ids would be random
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
    """HTML of a picture, and the caption below it."""

    html: str
    caption: str


def style() -> AbstractContextManager[None]:
    """Within it figures are drawn as the page wants them."""
    return mpl.rc_context(STYLE)


def as_svg(figure: Figure, name: str, text: str) -> str:
    """A figure as SVG for within a page; `name` keeps its ids apart, `text` tells what it shows.

    The same figure gives the same text.
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
    """Kernels `(K, h, w)` or `(K, h, w, 3)` as an image of one pixel a weight.

    Black (or no colour) is -`largest`, gray is 0, white is `largest`.
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
