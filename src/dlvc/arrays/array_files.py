"""Arrays as files: .npy files that can be memory-mapped, and the pickles of lecture 5."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dlvc.arrays.memmap import chunks_of
from dlvc.arrays.pickles import unpickle_array
from dvcview.files.artifacts import atomic_file, readable, write_bytes

PICKLE_PROTOCOL = 4  # fixed, so that every Python version writes the same bytes


def write_npy(path: Path, array: NDArray[Any]) -> None:
    """Write an array as .npy in C order, so that it can be memory-mapped."""
    with npy_writer(path, array.shape, array.dtype) as write:
        for chunk in chunks_of(np.atleast_1d(array)):
            write(chunk)


@contextmanager
def npy_writer(
    path: Path, shape: tuple[int, ...], dtype: DTypeLike
) -> Iterator[Callable[[NDArray[Any]], None]]:
    """Write an .npy file in several steps; the file appears when the block ends.

    Args:
        path: the file.
        shape: the shape of the whole array.
        dtype: its dtype.

    Yields:
        A function that appends rows to the array.

    Raises:
        ValueError: the dtype contains Python objects.
    """
    if np.dtype(dtype).hasobject:
        raise ValueError("an array of Python objects cannot be written")
    description = np.lib.format.dtype_to_descr(np.dtype(dtype))
    with atomic_file(path) as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": description, "fortran_order": False, "shape": shape}
        )

        def write(rows: NDArray[Any]) -> None:
            # NumPy's own writer uses C's buffers, and does not notice a full disk.
            file.write(np.ascontiguousarray(rows, dtype).data.cast("B"))

        yield write


def read_npy(path: Path) -> NDArray[Any]:
    """Open an .npy file as a read-only memory map."""
    with readable(path, ".npy array"):
        with path.open("rb") as file:
            if np.lib.format.read_magic(file) != (1, 0):  # later versions allow a header of 4 GB
                raise ValueError("its format version is not 1.0")
        array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    return array


def write_pickle(path: Path, array: NDArray[Any]) -> None:
    """Pickle a plain array, the format that lecture 5 loads."""
    write_bytes(path, pickle.dumps(np.ascontiguousarray(array), protocol=PICKLE_PROTOCOL))


def read_pickle(path: Path) -> NDArray[Any]:
    """Read a pickled plain array; any other content is rejected, and no code in it runs."""
    with readable(path, "pickle of a plain array"):
        return unpickle_array(path.read_bytes())
