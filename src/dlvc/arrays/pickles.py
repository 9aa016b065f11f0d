"""Read pickles of plain numbers and NumPy arrays without running any code in them.

A pickle is a program for a small stack machine. Python's `Unpickler` calls any function that the
program names, and NumPy's part trusts the sizes in it, so a flipped bit can crash the process or
make it request all memory. This module checks every instruction with `pickletools` first. Then
Python's `Unpickler` executes them, with two classes of this module instead of NumPy's functions.
They only collect the parts of an array; the array is built once its size has been checked.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvcview.errors import first_line

KINDS = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}
ARRAY_STEPS = 100  # instructions; NumPy writes about sixty for an array of any size
BATCH_STEPS = 100_000  # instructions; a batch of CIFAR-10 has 30,000

ARRAY_INSTRUCTIONS = {
    "PROTO", "FRAME", "STOP", "MARK", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3",
    "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1",
    "SHORT_BINBYTES", "BINBYTES", "BINBYTES8",  # the last one for more than 4 GB
    "SHORT_BINSTRING", "BINSTRING",  # of Python 2
    "SHORT_BINUNICODE", "BINUNICODE",
    "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET",
    "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD",
}  # fmt: skip
BATCH_INSTRUCTIONS = {
    *ARRAY_INSTRUCTIONS,
    "EMPTY_LIST", "EMPTY_DICT", "APPEND", "APPENDS", "SETITEM", "SETITEMS",
}  # fmt: skip

NDARRAY = object()  # stands for the class `numpy.ndarray`


class PickledDtype:
    """The parts of a dtype: its kind, such as "f8", and then its byte order."""

    def __init__(self, kind: object, align: object, copy: object) -> None:
        if kind not in KINDS or (align, copy) != (0, 1):
            raise ValueError(f"its dtype is {kind!r}, expected bool, integers or floats")
        self.kind = str(kind)
        self.order: object = None

    def __setstate__(self, state: object) -> None:
        match state:
            case (3, str(order), None, None, None, -1, -1, 0):
                self.order = order
            case _:
                raise ValueError("its dtype has an invalid state")

    def dtype(self) -> np.dtype[Any]:
        """The dtype.

        Raises:
            ValueError: the byte order does not fit the kind, or is missing.
        """
        if self.order not in (("|",) if self.kind.endswith("1") else ("<", ">")):
            raise ValueError(f"its dtype {self.kind} has the byte order {self.order!r}")
        return np.dtype(f"{self.order}{self.kind}")


class PickledArray:
    """The parts of an array: its shape, dtype, memory order and bytes."""

    def __init__(self, kind: object, shape: object, typecode: object) -> None:
        if kind is not NDARRAY or shape != (0,) or typecode not in (b"b", "b"):
            raise ValueError("it has an array of an unexpected class")
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state

    def array(self) -> NDArray[Any]:
        """The array, as a copy of the pickle's bytes.

        Raises:
            ValueError: the state is invalid, or the number of bytes does not match the shape.
        """
        match self.state:
            case (1, tuple(shape), PickledDtype() as pickled, order, data) if order in (0, 1):
                dtype = pickled.dtype()
            case _:
                raise ValueError("its array has an invalid state")
        data = data.encode("latin-1") if isinstance(data, str) else data
        if type(data) is not bytes:
            raise ValueError("its array has content that is not bytes")
        if not all(type(length) is int and 0 <= length < 2**63 for length in shape):
            raise ValueError(f"its array has the invalid shape {shape}")
        if math.prod(shape) * dtype.itemsize != len(data):
            raise ValueError(
                f"its array has {len(data)} bytes, which do not match the shape {shape} of {dtype}"
            )
        return np.ndarray(shape, dtype, bytearray(data), order="F" if order else "C")


# NumPy 2 writes `numpy._core`, NumPy 1 wrote `numpy.core`.
ALLOWED_NAMES = {
    ("numpy._core.multiarray", "_reconstruct"): PickledArray,
    ("numpy.core.multiarray", "_reconstruct"): PickledArray,
    ("numpy", "ndarray"): NDARRAY,
    ("numpy", "dtype"): PickledDtype,
}


def unpickle_array(content: bytes) -> NDArray[Any]:
    """Read a pickle of one plain array (protocol 3 or 4).

    Args:
        content: the bytes of the file.

    Returns:
        A copy of the array: bool, integers or floats of 1 to 8 bytes, in any byte order.

    Raises:
        ValueError: the pickle has any other content; the message states which.

    >>> import pickle
    >>> unpickle_array(pickle.dumps(np.array([[1, 2]], np.uint8), protocol=4))
    array([[1, 2]], dtype=uint8)
    >>> unpickle_array(pickle.dumps(print, protocol=4))
    Traceback (most recent call last):
    ValueError: it names 'builtins.print'
    """
    _check_instructions(content, ARRAY_INSTRUCTIONS, ARRAY_STEPS)
    value = _load(content)
    if not isinstance(value, PickledArray):
        raise ValueError(f"it contains {_describe(value)}, expected an array")
    return value.array()


def unpickle_batch(content: bytes) -> dict[str, Any]:
    """Read a file of CIFAR-10: a dictionary of arrays, numbers, text, and lists of these.

    The files were written by Python 2 with protocol 2.

    Args:
        content: the bytes of the file.

    Returns:
        The dictionary; byte strings of Python 2 become text, one character per byte (Latin-1).

    Raises:
        ValueError: the pickle has any other content; the message states which.

    >>> import pickle
    >>> unpickle_batch(pickle.dumps({"labels": [3, 5]}, protocol=2))
    {'labels': [3, 5]}
    """
    _check_instructions(content, BATCH_INSTRUCTIONS, BATCH_STEPS)
    value = _load(content)
    if not isinstance(value, dict):
        raise ValueError(f"it contains {_describe(value)}, expected a dictionary")
    batch: dict[str, Any] = {}
    # A pickle can use one text for many arrays and so fill the memory.
    remaining = len(content)
    for key, entry in value.items():
        if not isinstance(key, str):
            raise ValueError("a key of its dictionary is not text")
        if isinstance(entry, PickledArray):
            batch[key] = entry.array()
            remaining -= batch[key].nbytes
            if remaining < 0:
                raise ValueError("its arrays have more bytes than the file")
            continue
        for part in entry if isinstance(entry, list) else [entry]:
            if not (part is None or isinstance(part, (bool, int, str, bytes))):
                raise ValueError(f"it contains {_describe(part)}")
        batch[key] = entry
    return batch


def _check_instructions(content: bytes, allowed: set[str], steps: int) -> None:
    """Check every instruction, and that the last one ends the file.

    Raises:
        ValueError: an instruction is not allowed or cut off, or there are too many.
    """
    position = -1
    for step, (opcode, argument, where) in enumerate(pickletools.genops(content)):
        position = where or 0
        if step == steps:
            raise ValueError(f"it has more than {steps} instructions")
        if opcode.name not in allowed:
            raise ValueError(f"it has the instruction {opcode.name}, which is not allowed")
        # Python allocates memory up to the largest index.
        if opcode.name == "LONG_BINPUT" and int(argument or 0) >= steps:
            raise ValueError(f"it stores a value under the number {argument}")
    if position != len(content) - 1:
        raise ValueError("it has extra bytes at its end")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED_NAMES:
            raise ValueError(f"it names {f'{module}.{name}'!r}")
        return ALLOWED_NAMES[module, name]


def _load(content: bytes) -> Any:
    """Execute the instructions, which have been checked."""
    try:
        return _Unpickler(io.BytesIO(content), encoding="latin-1").load()
    except ValueError:
        raise
    except Exception as error:  # such as IndexError: an instruction lacks an operand
        raise ValueError(f"it is not a valid pickle ({first_line(error)})") from None


def _describe(value: object) -> str:
    """A value for an error message: the class or function that the pickle names, or its type."""
    for (module, name), stand_in in ALLOWED_NAMES.items():
        if value is stand_in:
            return f"{module}.{name}"
    name = type(value).__name__.removeprefix("Pickled").lower()
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"
