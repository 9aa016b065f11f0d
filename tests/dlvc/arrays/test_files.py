"""Result files: whole or not there, the same bytes for the same content, and safe to read."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import pickle
import resource
import struct
import tracemalloc
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from dlvc.arrays import array_files
from dlvc.figures import gallery
from dlvc.training import weights
from dvcview.errors import UserError
from dvcview.files import artifacts
from tests.dlvc.arrays.test_pickles import Call


def figure(number: int) -> Figure:
    drawn = Figure(figsize=(2, 1.5), layout="constrained")
    drawn.add_subplot(title=f"number {number}").plot([0, number])
    return drawn


# One file of each kind, with a number in its content.
WRITE = {
    "bytes": lambda path, n: artifacts.write_bytes(path, b"%d" % n),
    "json": lambda path, n: artifacts.write_json(path, {"n": n, "é": [0.1, None]}),
    "csv": lambda path, n: artifacts.write_csv(path, [{"n": n, "x": 0.1}, {"n": n, "x": 2}]),
    "npy": lambda path, n: array_files.write_npy(path, np.full((3, 4), n)),
    "pickle": lambda path, n: array_files.write_pickle(path, np.full((3, 4), n / 7)),
    "weights": lambda path, n: weights.write_weights(path, {"w": torch.full((2, 3), n / 7)}),
    "figure": lambda path, n: gallery.write_figure(path, figure(n)),
}
write_one_of_each_kind = pytest.mark.parametrize("write", WRITE.values(), ids=WRITE)


def one_line(caught: pytest.ExceptionInfo[UserError]) -> str:
    message = str(caught.value)
    assert len(message.splitlines()) == 1, message
    return message


@write_one_of_each_kind
def test_the_same_content_gives_the_same_bytes_under_any_name(tmp_path, write):
    write(tmp_path / "a", 1)
    write(tmp_path / "a folder" / "that is made" / "b", 1)
    write(tmp_path / "c", 2)
    first, again, other = (
        (tmp_path / name).read_bytes() for name in ("a", "a folder/that is made/b", "c")
    )
    assert first == again
    assert first != other


@write_one_of_each_kind
def test_a_file_is_replaced_and_nothing_else_is_left_in_its_folder(tmp_path, write):
    write(tmp_path / "new", 2)
    write(tmp_path / "file", 1)
    write(tmp_path / "file", 2)
    assert (tmp_path / "file").read_bytes() == (tmp_path / "new").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "new"]


@contextmanager
def room_for(size):
    """The system refuses to write more bytes into a file than this, as a full disk does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@write_one_of_each_kind
@pytest.mark.parametrize("before", ["nothing", "a file"])
def test_a_full_disk_is_one_line_and_leaves_what_was_there_before(tmp_path, write, before):
    path = tmp_path / "file"
    write(tmp_path / "whole", 2)
    size = (tmp_path / "whole").stat().st_size
    (tmp_path / "whole").unlink()
    if before == "a file":
        write(path, 1)
    found = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    for room in {0, size // 2, size - 1}:
        with (
            room_for(room),
            pytest.raises(UserError, match=r"file: cannot be written \(") as caught,
        ):
            write(path, 2)
        assert "\n" not in str(caught.value)
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == found
    with room_for(size):
        write(path, 2)


@write_one_of_each_kind
def test_a_file_in_the_way_of_a_folder_is_one_line(tmp_path, write):
    (tmp_path / "results").write_text("in the way")
    with pytest.raises(
        UserError, match=r"results/file: cannot be written \((File exists|Not a dir)"
    ):
        write(tmp_path / "results/file", 1)
    assert (tmp_path / "results").read_text() == "in the way"


@write_one_of_each_kind
def test_a_folder_in_the_way_of_a_file_is_one_line(tmp_path, write):
    (tmp_path / "file").mkdir()
    with pytest.raises(UserError, match=r"file: cannot be written \(Is a directory\)"):
        write(tmp_path / "file", 1)
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


@write_one_of_each_kind
def test_a_file_gets_its_name_when_all_of_it_is_on_the_disk(tmp_path, monkeypatch, write):
    write(tmp_path / "expected", 1)
    folder = tmp_path / "new"
    seen = []

    def fsync(descriptor):
        assert os.fstat(descriptor).st_size == (tmp_path / "expected").stat().st_size
        seen.extend(path.name for path in folder.iterdir())

    monkeypatch.setattr(os, "fsync", fsync)
    write(folder / "file", 1)
    assert seen == [".file.partial"]
    assert (folder / "file").exists()


UNWRITABLE = {
    "json of an object": lambda path: artifacts.write_json(path, {"a": 1, "b": object()}),
    "json of NaN": lambda path: artifacts.write_json(path, {"loss": math.nan}),
    "json of infinity": lambda path: artifacts.write_json(path, {"rows": [{"loss": -math.inf}]}),
    "csv of rows with other keys": lambda path: artifacts.write_csv(path, [{"a": 1}, {"b": 2}]),
    "npy of objects": lambda path: array_files.write_npy(path, np.array([object()])),
    "pickle of a function": lambda path: array_files.write_pickle(path, np.array([lambda: 0])),
    "weights that are none": lambda path: weights.write_weights(path, {"w": 3}),
}


@pytest.mark.parametrize("write", UNWRITABLE.values(), ids=UNWRITABLE)
def test_content_that_cannot_be_written_leaves_the_file_before(tmp_path, write):
    (tmp_path / "file").write_bytes(b"before")
    with pytest.raises((TypeError, ValueError, AttributeError, pickle.PicklingError)):
        write(tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"before"


def test_a_reader_sees_the_file_before_while_the_next_one_is_written(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"before")

    class Torn(Figure):
        def savefig(self, file, **_options):
            file.write(b"half a picture")
            file.flush()
            assert path.read_bytes() == b"before"
            raise RuntimeError("torn")

    with pytest.raises(RuntimeError, match="torn"):
        gallery.write_figure(path, Torn())
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"before"


def test_json_keeps_the_order_of_keys_the_digits_and_the_letters(tmp_path):
    content = {"z": 1, "a": {"ä": 0.1 + 0.2, "list": [True, None, "日本"]}}
    artifacts.write_json(tmp_path / "file", content)
    text = (tmp_path / "file").read_text(encoding="utf-8")
    assert list(json.loads(text)) == ["z", "a"]
    assert json.loads(text) == content == artifacts.read_json(tmp_path / "file")
    assert "0.30000000000000004" in text
    assert "日本" in text
    assert text.endswith("}\n")


def test_csv_keeps_every_digit_and_ends_lines_alike_everywhere(tmp_path):
    rows = [{"epoch": 1, "loss": 0.1 + 0.2}, {"epoch": 2, "loss": 1e-17 / 3}]
    artifacts.write_csv(tmp_path / "file", rows)
    content = (tmp_path / "file").read_bytes()
    assert content.count(b"\n") == 3
    assert b"\r" not in content
    read = list(csv.DictReader(io.StringIO(content.decode())))
    assert [(int(row["epoch"]), float(row["loss"])) for row in read] == [
        (row["epoch"], row["loss"]) for row in rows
    ]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(20, dtype=np.int64)[::-3],
    ],
    ids=["C order", "Fortran order", "every third"],
)
def test_an_npy_file_is_mapped_into_memory_and_cannot_be_changed(tmp_path, array):
    array_files.write_npy(tmp_path / "file", array)
    read = array_files.read_npy(tmp_path / "file")
    assert isinstance(read, np.memmap)
    assert read.flags.c_contiguous
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)
    before = (tmp_path / "file").read_bytes()
    with pytest.raises(ValueError, match="read-only"):
        read[...] = 0
    assert (tmp_path / "file").read_bytes() == before


@pytest.mark.parametrize(
    "array",
    [
        np.random.default_rng(0).normal(size=(7, 9)),
        np.arange(5),
        np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
        np.zeros((0, 9)),
    ],
    ids=["features", "labels", "Fortran order", "none"],
)
def test_a_pickle_is_read_by_ours_and_by_anyone_s(tmp_path, array):
    array_files.write_pickle(tmp_path / "file", array)
    with (tmp_path / "file").open("rb") as file:
        plain = pickle.load(file)
    for read in (plain, array_files.read_pickle(tmp_path / "file")):
        assert type(read) is np.ndarray
        assert read.dtype == array.dtype
        np.testing.assert_array_equal(read, array)


def test_a_memory_map_is_pickled_as_the_plain_array_that_it_shows(tmp_path):
    array = np.arange(12.0).reshape(3, 4)
    array_files.write_npy(tmp_path / "npy", array)
    array_files.write_pickle(tmp_path / "from a map", array_files.read_npy(tmp_path / "npy"))
    array_files.write_pickle(tmp_path / "from an array", array)
    assert (tmp_path / "from a map").read_bytes() == (tmp_path / "from an array").read_bytes()


def test_a_pickle_that_would_run_something_is_refused_in_one_line_with_its_name(tmp_path):
    marker, path = tmp_path / "marker", tmp_path / "testFeats.pkl"
    path.write_bytes(pickle.dumps(Call(os.system, f"touch '{marker}'")))
    with pytest.raises(UserError, match=r"testFeats\.pkl.*it names 'posix.system'") as caught:
        array_files.read_pickle(path)
    one_line(caught)
    assert not marker.exists()


READ = {
    "npy": array_files.read_npy,
    "pickle": array_files.read_pickle,
    "json": artifacts.read_json,
    "weights": weights.read_weights,
}


@pytest.mark.parametrize("kind", READ)
def test_a_file_that_ends_too_early_is_refused_wherever_it_ends(tmp_path, kind):
    path = tmp_path / "torn.file"
    WRITE[kind](path, 1)
    whole = path.read_bytes()
    READ[kind](path)
    for length in range(len(whole) - 1):  # what JSON lacks then is more than its last line feed
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"torn\.file.*dvc repro") as caught:
            READ[kind](path)
        one_line(caught)


@pytest.mark.parametrize("kind", READ)
def test_a_file_that_is_not_there_is_named(tmp_path, kind):
    with pytest.raises(UserError, match=r"absent\.file") as caught:
        READ[kind](tmp_path / "absent.file")
    one_line(caught)


def test_an_npy_file_of_objects_is_refused(tmp_path):
    marker = tmp_path / "marker"
    evil = np.array([Call(eval, f"open({str(marker)!r}, 'w').close()")], dtype=object)
    np.save(tmp_path / "evil.npy", evil, allow_pickle=True)
    with pytest.raises(UserError, match=r"evil\.npy"):
        array_files.read_npy(tmp_path / "evil.npy")
    assert not marker.exists()


@pytest.mark.parametrize(
    "lie",
    [
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904,)}",
        "{'descr': '|V2147483647', 'fortran_order': False, 'shape': (2147483647,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '(2147483647,9)f8', 'fortran_order': False, 'shape': (1,)}",
        "(" * 9000,
        "-" * 9000 + "1",
    ],
    ids=lambda lie: lie[:60],
)
def test_an_npy_file_whose_header_lies_is_refused_without_memory(tmp_path, lie):
    header = struct.pack("<H", len(lie)) + lie.encode()
    (tmp_path / "lie.npy").write_bytes(b"\x93NUMPY\x01\x00" + header + bytes(100))
    tracemalloc.start()
    with pytest.raises(UserError, match=r"lie\.npy.*dvc repro") as caught:
        array_files.read_npy(tmp_path / "lie.npy")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000
    one_line(caught)


def test_an_npy_file_that_announces_a_header_of_gigabytes_is_refused_before_it_is_read(tmp_path):
    header = b"\xff\xff\xff\xff{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}"
    (tmp_path / "lie.npy").write_bytes(b"\x93NUMPY\x02\x00" + header + bytes(3))
    with pytest.raises(UserError, match=r"lie\.npy.*format version is not 1\.0"):
        array_files.read_npy(tmp_path / "lie.npy")


def test_an_npz_file_is_no_npy_file(tmp_path):
    np.savez(tmp_path / "several.npz", a=np.arange(3))
    with pytest.raises(UserError, match=r"several\.npz"):
        array_files.read_npy(tmp_path / "several.npz")


TENSORS = {
    "plain": torch.arange(6.0).reshape(2, 3) / 7,
    "integers": torch.tensor([3, -1]),
    "a single number": torch.tensor(5),
    "transposed": torch.arange(6.0).reshape(2, 3).T,
    "every second": torch.arange(10.0)[::2],
    "channels last": torch.arange(16.0).reshape(1, 4, 2, 2).to(memory_format=torch.channels_last),
    "one value repeated": torch.tensor([0.5]).expand(4),
    "that learns": torch.ones(2, requires_grad=True),
}


def test_weights_come_back_as_they_were_in_any_layout(tmp_path):
    assert not TENSORS["transposed"].is_contiguous()
    assert not TENSORS["channels last"].is_contiguous()
    weights.write_weights(tmp_path / "weights", TENSORS)
    read = weights.read_weights(tmp_path / "weights")
    assert set(read) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor), name


def test_the_layout_in_memory_does_not_change_the_weights_bytes(tmp_path):
    weights.write_weights(tmp_path / "any layout", TENSORS)
    plain = {name: torch.tensor(tensor.tolist()) for name, tensor in TENSORS.items()}
    weights.write_weights(tmp_path / "plain", plain)
    assert (tmp_path / "any layout").read_bytes() == (tmp_path / "plain").read_bytes()


def test_a_picture_holds_pixels_and_nothing_about_who_made_it_and_when(tmp_path):
    gallery.write_figure(tmp_path / "file", figure(3))
    content = (tmp_path / "file").read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    kinds, position = set(), 8
    while position < len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        kinds.add(kind)
        position += 12 + length
    assert kinds == {b"IHDR", b"pHYs", b"IDAT", b"IEND"}


def test_a_table_is_read_as_it_was_written_and_a_broken_one_is_named(tmp_path):
    rows = [{"name": "a, b", "loss": 0.1 + 0.2}, {"name": 'dög "x"', "loss": 1e-9}]
    artifacts.write_csv(tmp_path / "table.csv", rows)
    read = artifacts.read_csv(tmp_path / "table.csv")
    assert [{"name": row["name"], "loss": float(row["loss"])} for row in read] == rows
    (tmp_path / "table.csv").write_bytes(b"name\n\xff")
    with pytest.raises(UserError, match=r"table\.csv: not readable as CSV"):
        artifacts.read_csv(tmp_path / "table.csv")
