"""Equations as inline SVG, because browsers without a mathematical font set MathML badly.

matplotlib's mathtext, which knows the usual part of LaTeX, sets them. The outlines of the letters
are in the SVG, so it looks the same everywhere.
"""

from __future__ import annotations

import html
from pathlib import Path

import matplotlib as mpl
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath

from dlvc.figures.inline import Picture
from dvcview.files.yaml_files import read_yaml

EQUATIONS = Path(__file__).parent / "equations.yaml"
EQUATION = "equation"  # the part of the page
SIZE = 16  # of the letters, in the units of the SVG; as wide as 1 em of the page
MARGIN = 1
COMMANDS = {
    Outline.MOVETO: "M", Outline.LINETO: "L", Outline.CURVE3: "Q", Outline.CURVE4: "C",
    Outline.CLOSEPOLY: "Z",
}  # fmt: skip


def read_equations() -> dict[str, list[Picture]]:
    """The equations by lecture, with their LaTeX as the text for screen readers."""
    return {
        number: [
            Picture(as_svg(entry["latex"]), entry["name"], entry["latex"], EQUATION)
            for entry in entries
        ]
        for number, entries in read_yaml(EQUATIONS).items()
    }


def as_svg(latex: str) -> str:
    """Set an equation in the colour of the page's text.

    >>> as_svg("x^2")[:47]
    '<svg class="math" role="img" aria-label="x^2" v'
    """
    font = FontProperties(math_fontfamily="stix")
    with mpl.rc_context({"text.parse_math": True}):  # labels of charts are plain text
        path = TextPath((0, 0), f"${latex}$", size=SIZE, prop=font)
    box = path.get_extents()
    outlines = ""
    for points, code in path.iter_segments(curves=True, simplify=False):
        outlines += COMMANDS[code]
        if code != Outline.CLOSEPOLY:
            outlines += " ".join(f"{x:.1f},{-y:.1f}" for x, y in points.reshape(-1, 2))
    left, top = box.x0 - MARGIN, -box.y1 - MARGIN
    width, height = box.width + 2 * MARGIN, box.height + 2 * MARGIN
    return (
        f'<svg class="math" role="img" aria-label="{html.escape(latex)}" '
        f'viewBox="{left:.1f} {top:.1f} {width:.1f} {height:.1f}" '
        f'style="width: {width / SIZE:.2f}em"><path fill="currentColor" d="{outlines}"/></svg>'
    )
