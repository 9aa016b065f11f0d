"""A small canvas for pictures that are made of pixels, boxes and text, as inline SVG.

The text has the colour of the page's text. At a width of 360 units, one unit is about one pixel on
a phone.
"""

from __future__ import annotations

import base64
import html
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH = 360.0
TEXT = 10.0


class Drawing:
    """An SVG picture that grows downwards; x and y are in units from the top left corner."""

    def __init__(self) -> None:
        self._elements: list[str] = []
        self.height = 0.0

    def text(
        self, x: float, y: float, content: object, *, anchor: str = "start", color: str = "",
        turn: int = 0,
    ) -> None:  # fmt: skip
        """Write a line whose baseline is at y; `turn` rotates it around its anchor, in degrees."""
        turned = f' transform="rotate({turn} {x:g} {y:g})"' if turn else ""
        self._add(
            f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{color or "currentColor"}"'
            f"{turned}>{html.escape(str(content))}</text>",
            y + 4,
        )

    def box(
        self, x: float, y: float, width: float, height: float, color: str, *, opacity: float = 1
    ) -> None:
        """Fill a rectangle."""
        self._add(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{color}" '
            f'fill-opacity="{opacity:g}"/>',
            y + height,
        )

    def image(self, x: float, y: float, width: float, pixels: NDArray[np.uint8]) -> float:
        """Draw (h, w) gray, (h, w, 3) RGB or (h, w, 4) RGBA pixels; returns the height."""
        height = width * float(pixels.shape[0]) / float(pixels.shape[1])
        self._add(
            f'<image x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" '
            f'style="image-rendering:pixelated" preserveAspectRatio="none" '
            f'href="{as_data_uri(pixels)}"/>',
            y + height,
        )
        return height

    def svg(self, alt: str) -> str:
        """The HTML; `alt` describes the picture for screen readers."""
        return (
            f'<svg viewBox="0 0 {WIDTH:g} {self.height:g}" role="img" font-size="{TEXT:g}" '
            f'font-family="sans-serif" aria-label="{html.escape(alt)}">'
            + "".join(self._elements)
            + "</svg>"
        )

    def _add(self, element: str, bottom: float) -> None:
        self._elements.append(element)
        self.height = max(self.height, bottom)


def as_data_uri(pixels: NDArray[np.uint8]) -> str:
    """Encode pixels as a PNG file in a `data:` address."""
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def as_gray(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale values of any shape to 0 ... 255, from their minimum to their maximum.

    `torchvision.utils.make_grid(normalize=True)` does this in the lectures. Constant values become
    mid-gray.

    >>> as_gray(np.array([-1.0, 0.0, 3.0])).tolist()
    [0, 64, 255]
    """
    low, high = float(values.min()), float(values.max())
    if high == low:
        return np.full(values.shape, 128, np.uint8)
    return ((values - low) / (high - low) * 255).round().astype(np.uint8)


def tiles(cells: NDArray[np.uint8], columns: int, *, zoom: int = 1) -> NDArray[np.uint8]:
    """Arrange cells (K, h, w) or (K, h, w, 3) in rows, with transparent gaps, as RGBA pixels.

    Each value becomes `zoom` x `zoom` pixels. A gap is 7 % as wide as a cell.
    """
    if cells.ndim == 3:
        cells = np.repeat(cells[..., np.newaxis], 3, axis=-1)
    cells = cells.repeat(zoom, axis=1).repeat(zoom, axis=2)
    count, height, width, _ = cells.shape
    rows = -(-count // columns)
    gap = max(1, round(0.07 * width))
    grid = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 4), np.uint8)
    for number, cell in enumerate(cells):
        top, left = number // columns * (height + gap), number % columns * (width + gap)
        grid[top : top + height, left : left + width] = np.dstack(
            [cell, np.full((height, width), 255, np.uint8)]
        )
    return grid


def shorten(name: str, longest: int = 14) -> str:
    """Cut a long name of a class.

    >>> shorten("immunohistochemistry")
    'immunohistoch…'
    """
    return name if len(name) <= longest else name[: longest - 1] + "…"
