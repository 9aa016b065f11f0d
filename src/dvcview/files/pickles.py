"""The only reader of pickles: plain numbers in NumPy arrays, and nothing that could run.

A pickle is a program for a small stack machine. Python's own machine calls whatever function the
program names, and NumPy's part of it trusts the sizes it is told: a flipped bit can crash it or
make it ask for all memory. Here `pickletools` only lists the instructions, and the few that build
an array are carried out on inert values: a name is never looked up, a size never believed.
"""

from __future__ import annotations

import math
import pickletools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What a pickle of an array names. NumPy 2 writes `numpy._core`, NumPy 1 wrote `numpy.core`.
RECONSTRUCT = ("numpy._core.multiarray _reconstruct", "numpy.core.multiarray _reconstruct")
NDARRAY, DTYPE = "numpy ndarray", "numpy dtype"
ALLOWED_NAMES = {*RECONSTRUCT, NDARRAY, DTYPE}

KINDS = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}
ARRAY_STEPS = 100  # instructions; NumPy writes about sixty, whatever the size of the array
BATCH_STEPS = 100_000  # a batch of CIFAR-10 has 10,000 labels and 10,000 file names, 30,000 in all

VALUES = {
    "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1",
    "SHORT_BINBYTES", "BINBYTES", "BINBYTES8",  # the last for more than 4 GB
    "SHORT_BINSTRING", "BINSTRING",  # Python 2's
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
class _Number:
    """A dtype in the making: its kind, such as "f8", and then the order of its bytes."""

    kind: str
    dtype: np.dtype[Any] | None = None


@dataclass
class _Array:
    """An array in the making."""

    array: NDArray[Any] | None = None


_MARK = object()


def unpickle_array(content: bytes) -> NDArray[Any]:
    """The one plain array that a pickle holds (of Python 3, protocol 3 to 5).

    Args:
        content: the whole file.

    Returns:
        An array of bool, integers or floats of 1 to 8 bytes, in any byte order; a copy.

    Raises:
        ValueError: there is anything else in it, and what.

    >>> import pickle
    >>> unpickle_array(pickle.dumps(np.array([[1, 2]], np.uint8)))
    array([[1, 2]], dtype=uint8)
    >>> unpickle_array(pickle.dumps(print))
    Traceback (most recent call last):
    ValueError: it names 'builtins.print'
    """
    value = _Machine(content, ARRAY_STEPS, containers=False).run()
    if not isinstance(value, np.ndarray):
        raise ValueError(f"it holds {_describe(value)}, expected an array")
    return value


def unpickle_batch(content: bytes) -> dict[str, Any]:
    """A file of CIFAR-10 (Python 2, protocol 2): a dictionary of arrays, lists, numbers and text.

    Args:
        content: the whole file.

    Returns:
        Its entries; Python 2's byte strings as text, a letter a byte (Latin-1).

    Raises:
        ValueError: there is anything else in it, and what.

    >>> import pickle
    >>> unpickle_batch(pickle.dumps({"labels": [3, 5]}, protocol=2))
    {'labels': [3, 5]}
    """
    value = _Machine(content, BATCH_STEPS, containers=True).run()
    if not isinstance(value, dict):
        raise ValueError(f"it holds {_describe(value)}, expected a dictionary")
    return value


class _Machine:
    """Carries out the instructions that build arrays, and refuses at the first other one."""

    def __init__(self, content: bytes, steps: int, *, containers: bool) -> None:
        self.content, self.steps, self.containers = content, steps, containers
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}  # Python's own is a list as long as an index claims
        self.unused = len(content)  # bytes: one text, used for many arrays, would fill the memory

    def run(self) -> Any:
        """The value that is left at the end."""
        for step, (opcode, argument, place) in enumerate(pickletools.genops(self.content)):
            if step == self.steps:
                raise ValueError(f"it has more than {self.steps} instructions")
            if opcode.name == "STOP":
                if len(self.stack) != 1 or place != len(self.content) - 1:
                    raise ValueError("something is left over at its end")
                return _finished(self.stack[0])
            try:
                self._do(opcode.name, argument)
            except (IndexError, KeyError):
                raise ValueError(f"{opcode.name} at byte {place} has nothing to work on") from None
        raise ValueError("it has no end")

    def _do(self, name: str, argument: Any) -> None:
        if name in VALUES:
            constants = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
            self.stack.append(constants.get(name, argument))
        elif name in TUPLES:
            self._group(name)
        elif name in MEMO:
            self._remember(name, argument)
        elif name in CALLS:
            self._call(name, argument)
        elif self.containers and name in CONTAINERS:
            self._contain(name)
        elif name not in HEADERS:
            raise ValueError(f"it has the instruction {name}")

    def _group(self, name: str) -> None:
        """The instructions that make tuples."""
        if name == "MARK":
            self.stack.append(_MARK)
        elif name == "TUPLE":
            self.stack.append(tuple(self._pop_to_mark()))
        else:
            self.stack.append(tuple(self._pop(TUPLES[name])))

    def _remember(self, name: str, argument: Any) -> None:
        """The instructions by which a value is used twice."""
        if name.endswith("GET"):
            self.stack.append(self.memo[argument])
        else:
            self.memo[len(self.memo) if name == "MEMOIZE" else argument] = self.stack[-1]

    def _call(self, name: str, argument: Any) -> None:
        """The instructions that would run something."""
        if name == "GLOBAL":
            self.stack.append(_name(argument))
        elif name == "STACK_GLOBAL":
            self.stack.append(_name(" ".join(map(str, self._pop(2)))))
        elif name == "REDUCE":
            self.stack.append(_begin(*self._pop(2)))
        else:
            target, state = self._pop(2)
            self._build(target, state)
            self.stack.append(target)

    def _build(self, target: Any, state: Any) -> None:
        """Give a dtype its byte order, or an array its content."""
        match target, state:
            case _Number(kind, None), (3, str(order), None, None, None, -1, -1, 0):
                if order not in (("|",) if kind.endswith("1") else ("<", ">")):
                    raise ValueError(f"the byte order of its {kind} is {order!r}")
                target.dtype = np.dtype(order + kind)
            case _Array(None), (1, tuple(shape), _Number(_, np.dtype() as dtype), order, data):
                data = data.encode("latin-1") if isinstance(data, str) else data
                target.array = _array(shape, dtype, order, data)
                self.unused -= target.array.nbytes
                if self.unused < 0:
                    raise ValueError("its arrays have more bytes than the file")
            case _:
                raise ValueError(f"it gives {_describe(target)} a content that is none")

    def _contain(self, name: str) -> None:
        """The instructions of lists and dictionaries."""
        if name in ("EMPTY_LIST", "EMPTY_DICT"):
            self.stack.append([] if name == "EMPTY_LIST" else {})
            return
        single = {"APPEND": 1, "SETITEM": 2}
        parts = self._pop(single[name]) if name in single else self._pop_to_mark()
        values = [_finished(part) for part in parts]
        target = self.stack[-1]
        if name.startswith("APPEND") and isinstance(target, list):
            target.extend(values)
        elif name.startswith("SETITEM") and isinstance(target, dict) and len(values) % 2 == 0:
            keys = values[::2]
            if not all(isinstance(key, str) for key in keys):
                raise ValueError("a key of its dictionary is no text")
            target.update(zip(keys, values[1::2], strict=True))
        else:
            raise ValueError(f"it has {name} on {_describe(target)}")

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


def _name(name: str) -> _Name:
    if name not in ALLOWED_NAMES:
        raise ValueError(f"it names {name.replace(' ', '.', 1)!r}")
    return _Name(name)


def _begin(function: Any, arguments: Any) -> _Number | _Array:
    """What a call of one of the two functions begins; the rest comes with BUILD."""
    match function, arguments:
        case _Name(name), (_Name("numpy ndarray"), (0,), b"b" | "b") if name in RECONSTRUCT:
            return _Array()
        case _Name("numpy dtype"), (str(kind), 0, 1) if kind in KINDS:
            return _Number(kind)
        case _Name("numpy dtype"), (str(kind), *_):
            raise ValueError(f"its dtype is {kind!r}, expected bool, integers or floats")
    raise ValueError(f"it calls {_describe(function)} as no array needs it")


def _array(shape: tuple[Any, ...], dtype: np.dtype[Any], order: Any, data: Any) -> NDArray[Any]:
    """An array, if the bytes are exactly as many as its shape asks for."""
    if type(data) is not bytes or order not in (0, 1):
        raise ValueError("its array has no bytes")
    if not all(type(length) is int and 0 <= length < 2**63 for length in shape):
        raise ValueError(f"the shape of its array is {shape}")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"its array has {len(data)} bytes, but the shape {shape} of {dtype}")
    return np.ndarray(shape, dtype, bytearray(data), order="F" if order else "C")


def _finished(value: Any) -> Any:
    """A value that can leave the machine: an array, a container, a number, text, or None."""
    if isinstance(value, _Array) and value.array is not None:
        return value.array
    if value is None or isinstance(value, (bool, int, str, bytes, list, dict)):
        return value
    raise ValueError(f"it holds {_describe(value)}")


def _describe(value: Any) -> str:
    """What it is, for an error: a name, or the Python type."""
    if isinstance(value, _Name):
        return value.name
    return f"a {type(value).__name__.strip('_').lower()}"
