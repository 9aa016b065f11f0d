"""A corpus of hostile pickles: none runs anything, none fills the memory, each is one line."""

from __future__ import annotations

import copyreg
import io
import os
import pickle
import pickletools
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dlvc.arrays.pickles import ALLOWED_NAMES, KINDS, unpickle_array, unpickle_batch
from tests.examples import examples

UNPICKLE = {"array": unpickle_array, "batch": unpickle_batch}
by_both = pytest.mark.parametrize("unpickle", UNPICKLE.values(), ids=UNPICKLE)
_reconstruct = np._core.multiarray._reconstruct
plain = examples(200)


class Call:
    """Pickled, it is a call of `function` when it is read."""

    def __init__(self, function, *arguments) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


class State(Call):
    """Pickled, it is that call, and then a state for what the call returns."""

    def __init__(self, state, function, *arguments) -> None:
        super().__init__(function, *arguments)
        self.state = state

    def __reduce__(self):
        return self.function, self.arguments, self.state


class Subclass(np.ndarray):
    """Reading one runs its class's code."""


class Toucher:
    """Makes a file when it is made, or gets a state or an item."""

    def __new__(cls, marker: str = "", *, keyword: str = "") -> Toucher:
        if marker or keyword:
            Path(marker or keyword).touch()
        return super().__new__(cls)

    def __setstate__(self, marker: str) -> None:
        Path(marker).touch()

    def __setitem__(self, _key: int, marker: str) -> None:
        Path(marker).touch()


class ByKeyword:
    """Pickled by protocol 4, it is NEWOBJ_EX."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce_ex__(self, _protocol: int):
        return copyreg.__newobj_ex__, (Toucher, (), {"keyword": self.marker})


def dangerous(marker: Path) -> dict[str, object]:
    """Objects that make the file `marker` when they are unpickled without care."""
    name = str(marker)
    touch = f"open({name!r}, 'w').close()"
    in_list = np.empty(1, dtype=object)
    in_list[0] = [Call(eval, touch)]
    field = np.zeros(1, dtype=[("number", float), ("object", object)])
    field["object"][0] = Call(exec, touch)
    return {
        "os.system": Call(os.system, f"touch '{marker}'"),
        "eval": Call(eval, touch),
        "subprocess": Call(subprocess.check_call, ["touch", name]),
        "a method of a file": Call(Path.touch, marker),
        "in an array of objects": np.array([Call(eval, touch)], dtype=object),
        "in a list in an array": in_list,
        "in a field": field,
        "beside an array": (np.arange(3), Call(eval, touch)),
        "in a dictionary": {"data": np.arange(3), "labels": [1, Call(eval, touch)]},
        "as a key": {Call(eval, f"({touch}, 'data')[1]"): 1},
        "as the shape of an array": Call(
            _reconstruct, np.ndarray, Call(eval, f"({touch}, (0,))[1]"), b"b"
        ),
        "as the state of an array": State(
            Call(eval, f"({touch}, (1, (0,), None, False, b''))[1]"),
            _reconstruct, np.ndarray, (0,), b"b",
        ),
        "as the class of an array": Call(_reconstruct, Toucher, (0,), Call(eval, touch)),
        "a new object by keyword": ByKeyword(name),
        "a state": State(name, Toucher),
        "numpy's own loader": Call(
            np.lib._npyio_impl.savetxt, name, [1]
        ),
    }  # fmt: skip


DANGEROUS = list(dangerous(Path("marker")))


@by_both
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("name", DANGEROUS)
def test_a_pickle_that_would_run_something_is_refused_before_it_can(
    tmp_path, name, protocol, unpickle
):
    marker = tmp_path / "marker"
    content = pickle.dumps(dangerous(marker)[name], protocol=protocol)
    with pytest.raises(ValueError, match=r"^its? "):
        unpickle(content)
    assert not marker.exists()

    # It is a real danger: plain pickle runs it, and complains of what it returned only then.
    with suppress(TypeError, ValueError):
        pickle.loads(content)
    assert marker.exists()


def truncate(text: str) -> bytes:
    return b"\x8c" + struct.pack("B", len(text)) + text.encode()


def manual(marker: Path) -> dict[str, bytes]:
    """Instructions that `pickle.dumps` does not write, or not with such arguments."""
    name, toucher = str(marker), truncate(__name__) + truncate("Toucher") + b"\x93"
    command = b"(S'touch " + name.encode() + b"'\n"
    return {
        "INST": command + b"ios\nsystem\n.",
        "OBJ": b"(cos\nsystem\n" + command[1:] + b"o.",
        "REDUCE": b"cos\nsystem\n" + command + b"tR.",
        "BUILD": toucher + b")R" + truncate(name) + b"b.",
        "SETITEM": toucher + b")RK\x01" + truncate(name) + b"s.",
        "SETITEMS": toucher + b")R(K\x01" + truncate(name) + b"u.",
        "NEWOBJ": toucher + truncate(name) + b"\x85\x81.",
        "NEWOBJ_EX": toucher + b")}" + truncate("keyword") + truncate(name) + b"s\x92.",
        "a dotted name": truncate("os")
        + truncate("system")
        + b"\x93"
        + truncate(f"touch {name}")
        + b"\x85R.",
        "a name behind an allowed one": b"cnumpy\nf2py.os.system\n" + command + b"tR.",
        "popped": b"cos\nsystem\n" + command + b"tR0K\x01.",
    }


@by_both
@pytest.mark.parametrize("name", list(manual(Path("marker"))))
def test_an_instruction_that_would_run_something_is_refused(tmp_path, name, unpickle):
    marker = tmp_path / "marker"
    content = manual(marker)[name]
    with pytest.raises(ValueError, match="it "):
        unpickle(b"\x80\x04" + content)
    assert not marker.exists()
    try:
        pickle.loads(b"\x80\x04" + content)
    except (AttributeError, ModuleNotFoundError):
        assert name == "a name behind an allowed one"
    else:
        assert marker.exists()


@pytest.fixture
def extension() -> Iterator[int]:
    """`os.system` in the registry of this process, as a short number."""
    copyreg.add_extension("posix", "system", 240)
    yield 240
    copyreg.remove_extension("posix", "system", 240)


@by_both
@pytest.mark.parametrize("opcode", [b"\x82\xf0", b"\x83\xf0\0", b"\x84\xf0\0\0\0"])
def test_a_registered_extension_is_not_looked_up(tmp_path, extension, opcode, unpickle):
    marker = tmp_path / "marker"
    content = b"\x80\x02" + opcode + truncate(f"touch {marker}") + b"\x85R."
    with pytest.raises(ValueError, match="it has the instruction EXT"):
        unpickle(content)
    assert not marker.exists()
    pickle.loads(content)
    assert marker.exists()


def torch_file(**options) -> bytes:
    file = io.BytesIO()
    torch.save(torch.arange(3), file, **options)
    return file.getvalue()


def array_of(
    shape: tuple[int, ...] | list[int], kind: object = "u1", order: str = "|", data: object = b"123"
) -> bytes:
    """A pickle of an array, its state as it is given here."""
    dtype = State((3, order, None, None, None, -1, -1, 0), np.dtype, kind, False, True)
    return pickle.dumps(
        State((1, shape, dtype, False, data), _reconstruct, np.ndarray, (0,), b"b"), protocol=4
    )


NO_ARRAYS = {
    "a number": pickle.dumps(3),
    "a list of arrays": pickle.dumps([np.arange(3)]),
    "a tuple of arrays": pickle.dumps((np.arange(3),)),
    "an array of objects": pickle.dumps(np.array([1, None], dtype=object)),
    "a field of objects": pickle.dumps(np.zeros(1, dtype=[("a", object)])),
    "fields of numbers": pickle.dumps(np.zeros(1, dtype=[("a", float)])),
    "text": pickle.dumps(np.array(["a"])),
    "dates": pickle.dumps(np.zeros(1, "M8[s]")),
    "complex numbers": pickle.dumps(np.zeros(1, complex)),
    "a number of numpy": pickle.dumps(np.float64(1)),
    "a subclass": pickle.dumps(np.arange(3).view(Subclass)),
    "a masked array": pickle.dumps(np.ma.masked_equal([1, 2], 2)),
    "a torch tensor": pickle.dumps(torch.arange(3)),
    "a torch file": torch_file(),
    "an old torch file": torch_file(_use_new_zipfile_serialization=False),
    "the class of arrays": b"\x80\x04" + truncate("numpy") + truncate("ndarray") + b"\x93.",
    "a method of arrays": b"\x80\x04" + truncate("numpy") + truncate("ndarray.tofile") + b"\x93.",
    "another function of numpy": b"\x80\x04" + truncate("numpy") + truncate("load") + b"\x93.",
    "an array without content": pickle.dumps(Call(_reconstruct, np.ndarray, (0,), b"b")),
    "an array larger than any memory": pickle.dumps(Call(_reconstruct, np.ndarray, (2**50,), b"b")),
    "a shape larger than its bytes": array_of((2**40,)),
    "a shape smaller than its bytes": array_of((2,)),
    "a shape whose size overflows": array_of((2**32, 2**32 + 1, 3)),
    "a negative shape": array_of((-1, -3)),
    "a huge shape without content": array_of((0, 2**62, 2**62), data=b""),
    "a longer shape than numpy's": array_of((1,) * 65, data=b"1"),
    "a shape of no integers": array_of((3.0,)),
    "a shape that is a list": array_of([3]),
    "a byte order that is none": array_of((3,), order="<"),
    "bytes without an order": array_of((3,), kind="i8", order="|", data=bytes(24)),
    "letters for bytes": array_of((3,), data="日本語"),
    "a number for bytes": array_of((3,), data=123),
    "a dtype by number": array_of((3,), kind=3),
    "a persistent id": b"\x80\x02K\x01Q.",
    "a persistent id of text": b"Pevil\n.",
    "a buffer from elsewhere": b"\x80\x05\x97.",
    "a set": pickle.dumps({1}),
    "text, no pickle": b"epoch,loss\n1,2.3\n",
    "nothing": b"",
    "only an end": b".",
    "two values": b"\x80\x04K\x01K\x02.",
    "something behind it": pickle.dumps(np.arange(3)) + b"\0",
    "a tuple of nothing": b"\x80\x04\x86.",
    "a tuple over a mark": b"\x80\x04K\x01(K\x01\x86.",
    "a mark too few": b"\x80\x04K\x01t.",
    "a state for a number": b"\x80\x04K\x01K\x02b.",
    "a call of a number": b"\x80\x04K\x01)R.",
    "an empty memo": b"\x80\x04h\x09.",
    "a damaged letter": b"\x8c\x01\xff.",
}


@pytest.mark.parametrize("content", NO_ARRAYS.values(), ids=NO_ARRAYS)
def test_a_pickle_of_anything_else_than_a_plain_array_is_refused(content):
    with pytest.raises(ValueError, match=r"."):
        unpickle_array(content)


def text_put_together(count: int) -> bytes:
    """A list that holds the one before it twice, again and again."""
    return b"\x80\x04]q\0" + b"".join(b"](h\0h\0eq\0" for _ in range(count)) + b"."


LARGE = 2**31 - 1
BOMBS = {
    "a memo as long as its index": b"\x80\x02]r\xfe\xff\xff\xff.",
    "a long integer": b"\x80\x02\x8b" + struct.pack("<i", LARGE) + b"\xff.",
    "a long integer of text": b"I" + b"9" * 100_000 + b"\n.",
    "long bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x.",
    "long text": b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x.",
    "a long byte array": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"x.",
    "a long frame": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"K\x01.",
    "many lists": b"\x80\x04" + b"]" * 150_000 + b".",
    "many marks": b"\x80\x04" + b"(" * 150_000 + b".",
    "many tuples in each other": b"\x80\x04)" + b"\x85" * 150_000 + b".",
    "lists of lists": text_put_together(30_000),
}


@by_both
@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_a_bomb_needs_no_more_memory_than_its_size_allows(content, unpickle):
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"."):
        unpickle(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50_000_000


def arrays_of_one_text(count: int) -> bytes:
    """A batch with a text of 1000 bytes, and arrays that all have it as their content."""
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNN" + 2 * b"J\xff\xff\xff\xff"
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    array = empty + b"(K\x01M\xe8\x03\x85" + dtype + b"K\x00tb\x89h\x02tb"
    text = b"U\x04textT" + struct.pack("<I", 1000) + bytes(1000) + b"q\x02"
    return b"\x80\x02}(" + text + b"".join(b"U\x02%02d" % n + array for n in range(count)) + b"u."


def test_one_text_cannot_be_used_for_many_arrays():
    """Each would be a copy: a thousand of one text of 30 MB would be 30 GB."""
    assert unpickle_batch(arrays_of_one_text(1))["00"].tolist() == [0] * 1000
    with pytest.raises(ValueError, match="more bytes than the file"):
        unpickle_batch(arrays_of_one_text(99))


def test_what_is_allowed_is_what_numpy_writes_and_no_more():
    """The constants are the whole allow-list: a wider one would need a reason here."""
    assert set(ALLOWED_NAMES) == {
        ("numpy._core.multiarray", "_reconstruct"), ("numpy.core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"), ("numpy", "dtype"),
    }  # fmt: skip
    assert all(np.dtype(kind).kind in "biuf" for kind in KINDS)


def test_nothing_is_imported_by_a_pickle():
    program = (
        "import sys\n"
        "from dlvc.arrays.pickles import unpickle_array\n"
        "before = set(sys.modules)\n"
        "try:\n"
        "    unpickle_array(b'cantigravity\\ngeohash\\n.')\n"
        "except ValueError:\n"
        "    print(*(set(sys.modules) - before))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


@pytest.mark.parametrize("protocol", [3, 4, 5])
@plain
@given(
    array=arrays.arrays(
        arrays.boolean_dtypes()
        | arrays.integer_dtypes(endianness="?")
        | arrays.unsigned_integer_dtypes(endianness="?")
        | arrays.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
        arrays.array_shapes(min_dims=0, min_side=0, max_side=4),
    ),
    fortran=st.booleans(),
)
def test_a_plain_array_comes_back_as_it_was(protocol, array, fortran):
    array = np.asfortranarray(array) if fortran else array
    content = pickle.dumps(array, protocol=protocol)
    if protocol == 5 and b"_frombuffer" in content:
        with pytest.raises(ValueError, match=r"_frombuffer|BYTEARRAY8"):
            unpickle_array(content)
        return
    read = unpickle_array(content)
    assert type(read) is np.ndarray
    assert read.dtype == array.dtype
    assert read.shape == array.shape
    assert read.tobytes() == array.tobytes()  # the bits of NaN, too
    assert read.flags.writeable


def test_a_pickle_that_numpy_1_wrote_is_read():
    old = pickle.dumps(np.arange(5), protocol=3)
    assert b"cnumpy._core.multiarray\n" in old
    assert unpickle_array(old.replace(b"numpy._core", b"numpy.core")).tolist() == [0, 1, 2, 3, 4]


def test_a_file_of_any_size_has_few_instructions():
    content = pickle.dumps(np.zeros((1000, 9)), protocol=4)
    assert len(list(pickletools.genops(content))) < 70
    assert unpickle_array(content).shape == (1000, 9)


@plain
@given(st.data())
def test_a_damaged_pickle_is_an_array_or_a_value_error(data):
    """Whatever else came of it would be a traceback, or worse."""
    content = bytearray(pickle.dumps(np.arange(12.0).reshape(3, 4), protocol=4))
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    for unpickle in UNPICKLE.values():
        with suppress(ValueError):
            unpickle(bytes(content))
