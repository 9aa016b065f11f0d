"""Arrays larger than memory: memory maps, read in chunks.

A touched page of a memory map counts as memory of the process for as long as the map exists, which
would add up to the whole file. So each chunk gets a map of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK_SIZE = 1 << 24  # bytes


def chunk_of(array: NDArray[Any], start: int, stop: int) -> NDArray[Any]:
    """`array[start:stop]`; rows of a memory map are read through a map of their own."""
    chunk = array[start:stop]
    root = array
    while isinstance(root.base, np.memmap):
        root = root.base
    if not isinstance(root, np.memmap) or root.filename is None or not chunk.size:
        return chunk
    if not chunk.flags.c_contiguous:
        return chunk
    offset = root.offset + chunk.ctypes.data - root.ctypes.data
    return np.memmap(root.filename, chunk.dtype, "r", offset, chunk.shape)


def chunks_of(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The rows of an array in their order, in chunks of about `CHUNK_SIZE` bytes.

    >>> [len(chunk) for chunk in chunks_of(np.zeros((5, CHUNK_SIZE // 2), np.uint8))]
    [2, 2, 1]
    """
    row = max(1, array[:1].nbytes)
    step = max(1, CHUNK_SIZE // row)
    for start in range(0, len(array), step):
        yield chunk_of(array, start, start + step)
