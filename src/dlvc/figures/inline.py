"""Pictures that are embedded in the page.

Curves are SVG, so they are sharp at any size, and their text follows the page's dark mode.
"""

from __future__ import annotations

import html
import io
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

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
    """The HTML of a picture, and its texts.

    `caption` says what the picture shows, and `alt` what is to be seen in it, with numbers. `part`
    is "equation", "data" (images and networks), "story" (what the lecture shows) or "exercise".
    """

    html: str
    caption: str
    alt: str
    part: str


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
    svg = re.sub(r"font-family: [^;\"]*", "font-family: sans-serif", svg)  # not a list of 15 fonts
    svg = re.sub(
        r"<svg [^>]*?viewBox=\"([^\"]*)\"[^>]*>", r'<svg viewBox="\1" role="img">', svg, count=1
    )
    return svg.replace(">", f' aria-label="{html.escape(text)}">', 1)
