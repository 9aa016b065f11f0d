"""Arrays larger than memory: memory maps, a part at a time.

A page of a map that was touched counts as its process's memory for as long as the map lives, and in
the end that would be all of the file. So each part gets a map of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

PART = 1 << 24  # bytes


def part_of(array: NDArray[Any], start: int, stop: int) -> NDArray[Any]:
    """`array[start:stop]`; of a memory map, or of rows of one, through a map of its own."""
    part = array[start:stop]
    root = array
    while isinstance(root.base, np.memmap):
        root = root.base
    if not isinstance(root, np.memmap) or root.filename is None or not part.size:
        return part
    if not part.flags.c_contiguous:
        return part
    offset = root.offset + part.ctypes.data - root.ctypes.data
    return np.memmap(root.filename, part.dtype, "r", offset, part.shape)


def parts_of(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The rows of an array in their order, some `PART` bytes at a time.

    >>> [len(part) for part in parts_of(np.zeros((5, PART // 2), np.uint8))]
    [2, 2, 1]
    """
    row = max(1, array[:1].nbytes)
    step = max(1, PART // row)
    for start in range(0, len(array), step):
        yield part_of(array, start, start + step)
