"""Equations as inline SVG, because browsers without a mathematical font set MathML badly.

matplotlib's mathtext, which knows the usual part of LaTeX, sets them. The outlines of the letters
are in the SVG, so it looks the same everywhere.
"""

from __future__ import annotations

from markupsafe import Markup, escape
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath

SIZE = 16  # of the letters, in the units of the SVG; as wide as 1 em of the page
MARGIN = 1
COMMANDS = {
    Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z",
}  # fmt: skip


def equation(latex: str) -> Markup:
    """Set an equation in the colour of the text. The LaTeX is its text for screen readers.

    >>> equation("x^2")[:47]
    Markup('<svg class="math" role="img" aria-label="x^2" v')
    """
    path = TextPath((0, 0), f"${latex}$", size=SIZE, prop=FontProperties(math_fontfamily="stix"))
    box = path.get_extents()
    outlines = ""
    for points, code in path.iter_segments(curves=True, simplify=False):
        outlines += COMMANDS[code]
        if code != Path.CLOSEPOLY:
            outlines += " ".join(f"{x:.1f},{-y:.1f}" for x, y in points.reshape(-1, 2))
    left, top = box.x0 - MARGIN, -box.y1 - MARGIN
    width, height = box.width + 2 * MARGIN, box.height + 2 * MARGIN
    return Markup(  # noqa: S704 - the text is escaped
        f'<svg class="math" role="img" aria-label="{escape(latex)}" '
        f'viewBox="{left:.1f} {top:.1f} {width:.1f} {height:.1f}" '
        f'style="width: {width / SIZE:.2f}em"><path fill="currentColor" d="{outlines}"/></svg>'
    )
