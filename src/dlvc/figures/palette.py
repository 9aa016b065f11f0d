"""The colour, dash and marker of each thing that the charts show: one style has one meaning.

All colours have a contrast of at least 3 to a white and to a dark page. Dashes and markers also
distinguish the curves of a chart in a black-and-white print.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

GAP = "#56B4E9"  # between gray pictures, which do not have this colour
HIGHLIGHT = "#2477C9"  # a selected part of the data


def rgb(color: str) -> list[int]:
    """The red, green and blue of a colour, each 0 to 255.

    >>> rgb("#56B4E9")
    [86, 180, 233]
    """
    return [int(color[start : start + 2], 16) for start in (1, 3, 5)]


class Style(NamedTuple):
    """How a curve is drawn; `line` is a matplotlib linestyle."""

    color: str
    line: Any
    marker: str


STYLES = {
    "per epoch": Style("#2477C9", "-", "o"),
    "per batch": Style("#D55E00", "--", "s"),
    "per sample": Style("#009E73", "-.", "^"),
    "SGD": Style("#8E5BD0", "-", "o"),
    "momentum": Style("#B97A00", "--", "s"),
    "Adam": Style("#00A0B8", "-.", "^"),
    "LeNet": Style("#D63A6A", "-", "o"),
    "MLP": Style("#9A6A3A", "--", "v"),
    "DenseNet": Style("#6F8F1F", "-", "o"),
    "ResNet": Style("#5566E0", "--", "D"),
    "train": Style("#808080", "--", "s"),
    "test": Style("#C04FB5", "-", "o"),
}
OTHER = Style("#607D9B", "-", "o")
SHADES = (0.4, 0.0, -0.2)  # the share of white, or of black below 0
FORMS: tuple[tuple[Any, str], ...] = (
    ("-", "o"), ("--", "s"), ("-.", "^"), (":", "D"), ((0, (5, 1, 1, 1, 1, 1)), "v"),
    ((0, (1, 1)), "X"), ((0, (3, 1)), "P"), ((0, (8, 2)), "<"), ((0, (2, 3)), ">"),
)  # fmt: skip


def styles_of(labels: Sequence[str]) -> list[Style]:
    """The styles of the curves of one chart; a label begins with the name of a style.

    A label that is a name has the style of that name. Labels that begin with the same name, such as
    one per batch size, have shades of its colour. No two curves have the same marker, unless there
    are more than nine.

    >>> [style.color for style in styles_of(["SGD", "SGD, larger rate", "momentum"])]
    ['#8E5BD0', '#BB9DE3', '#B97A00']
    """
    names = [next((name for name in STYLES if label.startswith(name)), "") for label in labels]
    styles: list[Style] = []
    for position, (label, name) in enumerate(zip(labels, names, strict=True)):
        style = STYLES.get(name, OTHER)
        if label != name and names.count(name) > 1:
            shades = SHADES[-names.count(name) :] if name not in labels else (SHADES[0], SHADES[2])
            number = sum(
                one == name != other
                for one, other in zip(names[:position], labels[:position], strict=True)
            )
            style = style._replace(color=_mix(style.color, shades[number % len(shades)]))
        used = {other.marker for other in styles}
        if style.marker in used:
            line, marker = next((form for form in FORMS if form[1] not in used), style[1:])
            style = style._replace(line=line, marker=marker)
        styles.append(style)
    return styles


def _mix(color: str, shade: float) -> str:
    target = 255 if shade > 0 else 0
    channels = rgb(color)
    mixed = (round(value + (target - value) * abs(shade)) for value in channels)
    return "#" + "".join(f"{value:02X}" for value in mixed)
