"""A network as a row of boxes with the shapes of their outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import log2

from dlvc.figures.drawing import WIDTH, Drawing


@dataclass(frozen=True)
class Block:
    """One or several layers: the shape of the output, such as `(6, 28, 28)`, and the weights."""

    name: str
    shape: tuple[int, ...]
    parameters: int


def lenet_blocks(layers: Sequence[Mapping[str, str]], image_size: int) -> list[Block]:
    """The input and each layer of LeNet's layers.csv."""
    inputs = Block("input", (1, image_size, image_size), 0)
    return [inputs, *(Block(row["layer"], _shape(row), int(row["parameters"])) for row in layers)]


def densenet_blocks(layers: Sequence[Mapping[str, str]]) -> list[Block]:
    """The stem, the dense blocks and transitions, and the classifier of DenseNet's layers.csv.

    A dense block passes on its input and the new maps of all its layers. So the shape of its output
    is that of the layer after the block, not that of its own last layer.
    """
    groups = [(name, list(rows)) for name, rows in groupby(layers, key=_group)]
    blocks = []
    for position, (group, rows) in enumerate(groups):
        name = group
        shape = _shape(rows[-1])
        if name.startswith("block"):
            shape = _shape(groups[position + 1][1][0])
            name += f" ({sum(row['layer'].endswith('.conv2') for row in rows)})"
        blocks.append(Block(name, shape, sum(int(row["parameters"]) for row in rows)))
    return blocks


def _group(row: Mapping[str, str]) -> str:
    """The block of a layer.

    >>> _group({"layer": "net.features.denseblock1.denselayer2.conv1"})
    'block 1'
    """
    name = row["layer"].removeprefix("net.").removeprefix("features.").partition(".")[0]
    for long, short in (("denseblock", "block"), ("transition", "trans.")):
        if name.startswith(long):
            return f"{short} {name.removeprefix(long)}"
    return name if name in ("norm5", "classifier") else "stem"


def _shape(row: Mapping[str, str]) -> tuple[int, ...]:
    return tuple(map(int, row["output_shape"].split("x")))


def draw_network(blocks: Sequence[Block], color: str) -> Drawing:
    """Draw six blocks per row; a box is as high as its maps and as wide as its channels, in log."""
    drawing = Drawing()
    columns = 6
    cell = WIDTH / columns
    largest = max(block.shape[-1] for block in blocks if len(block.shape) == 3)
    for number, block in enumerate(blocks):
        x, y = number % columns * cell, number // columns * 132.0
        maps = len(block.shape) == 3
        height = 14 + 52 * log2(block.shape[1]) / log2(largest) if maps else 66
        width = 5 + 3.4 * log2(block.shape[0]) if maps else 5
        middle = x + cell / 2
        for layer in (2, 1, 0) if maps else (0,):  # maps lie behind each other
            shift = 3.0 * layer
            drawing.box(
                middle - width / 2 + shift, y + 42 - height / 2 - shift, width, height, color,
                opacity=0.35 if layer else 0.9,
            )  # fmt: skip
        drawing.text(middle, y + 90, block.name, anchor="middle")
        drawing.text(middle, y + 103, "×".join(map(str, block.shape)), anchor="middle")
        if block.parameters:
            drawing.text(middle, y + 116, f"{block.parameters:,}", anchor="middle")
        if number + 1 < len(blocks) and (number + 1) % columns:
            drawing.text(x + cell, y + 45, "→", anchor="middle")
    return drawing
