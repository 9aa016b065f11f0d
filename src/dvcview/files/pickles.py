"""Read pickles of plain numbers and NumPy arrays without running any code in them.

A pickle is a program for a small stack machine. Python's own implementation calls any function
that the program names. NumPy's part trusts the sizes in the pickle, so a flipped bit can crash it
or make it request all memory. This module uses `pickletools` only to list the instructions, and
executes the few that build an array on inert values. It never imports a name, and checks all sizes.
"""

from __future__ import annotations

import math
import pickletools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The names in the pickle of an array. NumPy 2 writes `numpy._core`, NumPy 1 wrote `numpy.core`.
RECONSTRUCT = ("numpy._core.multiarray _reconstruct", "numpy.core.multiarray _reconstruct")
NDARRAY, DTYPE = "numpy ndarray", "numpy dtype"
ALLOWED_NAMES = {*RECONSTRUCT, NDARRAY, DTYPE}

KINDS = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}
ARRAY_STEPS = 100  # instructions; NumPy writes about sixty for an array of any size
BATCH_STEPS = 100_000  # a batch of CIFAR-10 has 10,000 labels and 10,000 file names, 30,000 in all

VALUES = {
    "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1",
    "SHORT_BINBYTES", "BINBYTES", "BINBYTES8",  # the last one for more than 4 GB
    "SHORT_BINSTRING", "BINSTRING",  # of Python 2
    "SHORT_BINUNICODE", "BINUNICODE",
}  # fmt: skip
TUPLES = {"MARK": 0, "TUPLE": 0, "EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
MEMO = {"MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"}
CALLS = {"GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD"}
HEADERS = {"PROTO", "FRAME"}
CONTAINERS = {"EMPTY_LIST", "EMPTY_DICT", "APPEND", "APPENDS", "SETITEM", "SETITEMS"}


@dataclass(frozen=True)
class _Name:
    """A function or class that the pickle names."""

    name: str


@dataclass
class _Dtype:
    """An unfinished dtype: its kind, such as "f8". BUILD adds the byte order."""

    kind: str
    dtype: np.dtype[Any] | None = None


@dataclass
class _Array:
    """An unfinished array. BUILD adds the content."""

    array: NDArray[Any] | None = None


_MARK = object()


def unpickle_array(content: bytes) -> NDArray[Any]:
    """Read a pickle of one plain array (Python 3, protocol 3 to 5).

    Args:
        content: the bytes of the file.

    Returns:
        A copy of the array: bool, integers or floats of 1 to 8 bytes, in any byte order.

    Raises:
        ValueError: the pickle has any other content; the message states which.

    >>> import pickle
    >>> unpickle_array(pickle.dumps(np.array([[1, 2]], np.uint8)))
    array([[1, 2]], dtype=uint8)
    >>> unpickle_array(pickle.dumps(print))
    Traceback (most recent call last):
    ValueError: it names 'builtins.print'
    """
    value = _Machine(content, ARRAY_STEPS, containers=False).run()
    if not isinstance(value, np.ndarray):
        raise ValueError(f"it contains {_describe(value)}, expected an array")
    return value


def unpickle_batch(content: bytes) -> dict[str, Any]:
    """Read a file of CIFAR-10: a dictionary of arrays, lists, numbers and text.

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
    value = _Machine(content, BATCH_STEPS, containers=True).run()
    if not isinstance(value, dict):
        raise ValueError(f"it contains {_describe(value)}, expected a dictionary")
    return value


class _Machine:
    """Executes the instructions that build arrays, and raises at the first other instruction."""

    def __init__(self, content: bytes, steps: int, *, containers: bool) -> None:
        self.content, self.steps, self.containers = content, steps, containers
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}  # a list would be as long as the largest index
        # Bytes left for arrays. A pickle can use one text for many arrays and so fill the memory.
        self.remaining = len(content)

    def run(self) -> Any:
        """Execute all instructions and return the value that they build."""
        for step, (opcode, argument, position) in enumerate(pickletools.genops(self.content)):
            if step == self.steps:
                raise ValueError(f"it has more than {self.steps} instructions")
            if opcode.name == "STOP":
                if len(self.stack) != 1 or position != len(self.content) - 1:
                    raise ValueError("it has extra values or bytes at its end")
                return _require_finished(self.stack[0])
            try:
                self._execute(opcode.name, argument)
            except (IndexError, KeyError):
                raise ValueError(f"{opcode.name} at byte {position} lacks an operand") from None
        raise ValueError("it has no STOP instruction")

    def _execute(self, name: str, argument: Any) -> None:
        if name in VALUES:
            constants = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
            self.stack.append(constants.get(name, argument))
        elif name in TUPLES:
            self._execute_tuple(name)
        elif name in MEMO:
            self._execute_memo(name, argument)
        elif name in CALLS:
            self._execute_call(name, argument)
        elif self.containers and name in CONTAINERS:
            self._execute_container(name)
        elif name not in HEADERS:
            raise ValueError(f"it has the instruction {name}, which is not allowed")

    def _execute_tuple(self, name: str) -> None:
        """Execute an instruction that builds a tuple."""
        if name == "MARK":
            self.stack.append(_MARK)
        elif name == "TUPLE":
            self.stack.append(tuple(self._pop_to_mark()))
        else:
            self.stack.append(tuple(self._pop(TUPLES[name])))

    def _execute_memo(self, name: str, argument: Any) -> None:
        """Execute an instruction that stores a value for reuse, or loads it."""
        if name.endswith("GET"):
            self.stack.append(self.memo[argument])
        else:
            self.memo[len(self.memo) if name == "MEMOIZE" else argument] = self.stack[-1]

    def _execute_call(self, name: str, argument: Any) -> None:
        """Execute an instruction that names or calls a function, without calling it."""
        if name == "GLOBAL":
            self.stack.append(_require_allowed(argument))
        elif name == "STACK_GLOBAL":
            self.stack.append(_require_allowed(" ".join(map(str, self._pop(2)))))
        elif name == "REDUCE":
            self.stack.append(_construct(*self._pop(2)))
        else:
            target, state = self._pop(2)
            self._build(target, state)
            self.stack.append(target)

    def _build(self, target: Any, state: Any) -> None:
        """Set the byte order of a dtype, or the content of an array."""
        match target, state:
            case _Dtype(kind, None), (3, str(order), None, None, None, -1, -1, 0):
                if order not in (("|",) if kind.endswith("1") else ("<", ">")):
                    raise ValueError(f"its dtype {kind} has the byte order {order!r}")
                target.dtype = np.dtype(order + kind)
            case _Array(None), (1, tuple(shape), _Dtype(_, np.dtype() as dtype), order, data):
                data = data.encode("latin-1") if isinstance(data, str) else data
                target.array = _array(shape, dtype, order, data)
                self.remaining -= target.array.nbytes
                if self.remaining < 0:
                    raise ValueError("its arrays have more bytes than the file")
            case _:
                raise ValueError(f"it sets an invalid state on {_describe(target)}")

    def _execute_container(self, name: str) -> None:
        """Execute an instruction for lists or dictionaries."""
        if name in ("EMPTY_LIST", "EMPTY_DICT"):
            self.stack.append([] if name == "EMPTY_LIST" else {})
            return
        operands = {"APPEND": 1, "SETITEM": 2}
        parts = self._pop(operands[name]) if name in operands else self._pop_to_mark()
        values = [_require_finished(part) for part in parts]
        target = self.stack[-1]
        if name.startswith("APPEND") and isinstance(target, list):
            target.extend(values)
        elif name.startswith("SETITEM") and isinstance(target, dict) and len(values) % 2 == 0:
            keys = values[::2]
            if not all(isinstance(key, str) for key in keys):
                raise ValueError("a key of its dictionary is not text")
            target.update(zip(keys, values[1::2], strict=True))
        else:
            raise ValueError(f"it applies {name} to {_describe(target)}")

    def _pop(self, count: int) -> list[Any]:
        values = [self.stack.pop() for _ in range(count)][::-1]
        if any(value is _MARK for value in values):
            raise IndexError
        return values

    def _pop_to_mark(self) -> list[Any]:
        values = []
        while (value := self.stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]


def _require_allowed(name: str) -> _Name:
    if name not in ALLOWED_NAMES:
        raise ValueError(f"it names {name.replace(' ', '.', 1)!r}")
    return _Name(name)


def _construct(function: Any, arguments: Any) -> _Dtype | _Array:
    """The unfinished value that a call of one of the two allowed functions returns."""
    match function, arguments:
        case _Name(name), (_Name("numpy ndarray"), (0,), b"b" | "b") if name in RECONSTRUCT:
            return _Array()
        case _Name("numpy dtype"), (str(kind), 0, 1) if kind in KINDS:
            return _Dtype(kind)
        case _Name("numpy dtype"), (str(kind), *_):
            raise ValueError(f"its dtype is {kind!r}, expected bool, integers or floats")
    raise ValueError(f"it calls {_describe(function)} with unexpected arguments")


def _array(shape: tuple[Any, ...], dtype: np.dtype[Any], order: Any, data: Any) -> NDArray[Any]:
    """An array of these bytes.

    Raises:
        ValueError: the state is invalid, or the number of bytes does not match the shape.
    """
    if type(data) is not bytes or order not in (0, 1):
        raise ValueError("its array has content that is not bytes, or an invalid memory order")
    if not all(type(length) is int and 0 <= length < 2**63 for length in shape):
        raise ValueError(f"its array has the invalid shape {shape}")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(
            f"its array has {len(data)} bytes, which do not match the shape {shape} of {dtype}"
        )
    return np.ndarray(shape, dtype, bytearray(data), order="F" if order else "C")


def _require_finished(value: Any) -> Any:
    """The value as it is returned: an array, a container, a number, text, bytes, or None.

    Raises:
        ValueError: it is anything else, or an unfinished array.
    """
    if isinstance(value, _Array) and value.array is not None:
        return value.array
    if value is None or isinstance(value, (bool, int, str, bytes, list, dict)):
        return value
    raise ValueError(f"it contains {_describe(value)}")


def _describe(value: Any) -> str:
    """A value for an error message: the name of a function or class, or the Python type."""
    if isinstance(value, _Name):
        return value.name
    name = type(value).__name__.strip("_").lower()
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"
