"""The fuzz run itself: it finds what is there to be found, and nothing in our readers."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from dvcview.errors import UserError
from tests.stress import fuzz
from tests.stress.readers import READERS, Reader

SOUND = b"a intact file, of forty bytes, and no more"


def seeds() -> list[bytes]:
    return [SOUND]


def bad_reader(misbehave: Callable[[Path], object], path: Path) -> object:
    """Does what it should for a intact file only."""
    return None if path.read_bytes() == SOUND else misbehave(path)


def raise_another_exception(path: Path) -> None:
    raise KeyError(str(path))


def say_nothing_of_the_file(_path: Path) -> None:
    raise UserError("something is wrong")


def say_several_lines(path: Path) -> None:
    raise UserError(f"{path}: wrong\nand more")


def crash(_path: Path) -> None:
    os.abort()


def leave(_path: Path) -> None:
    raise SystemExit(0)


def hang(_path: Path) -> None:
    time.sleep(60)


def fill_the_memory(_path: Path) -> None:
    assert (b"x" * (200 << 20)).count(b"x")


def ask_for_all_memory(path: Path) -> None:
    try:
        bytearray(1 << 40)
    except MemoryError:
        raise UserError(f"{path}: too large") from None


def write_elsewhere(_path: Path) -> None:
    Path("/tmp/escaped").write_text("x")


def remove_the_input(path: Path) -> None:
    path.unlink()


def start_a_program(_path: Path) -> None:
    os.system("true")


BAD = {
    raise_another_exception: "KeyError",
    say_nothing_of_the_file: "not one line with the file's name",
    say_several_lines: "not one line with the file's name",
    crash: "the process ended with -6",
    leave: "SystemExit",
    hang: "more than 1 s",
    fill_the_memory: "MB of memory, allowed are 100|MemoryError",
    ask_for_all_memory: "MemoryError",
    write_elsewhere: r"did open \('/tmp/escaped'",
    remove_the_input: "did os.remove",
    start_a_program: "did os.system",
}


@pytest.mark.parametrize("misbehave", BAD, ids=lambda misbehave: misbehave.__name__)
def test_it_finds_a_bad_reader_and_keeps_the_input(tmp_path, monkeypatch, misbehave):
    monkeypatch.setattr(fuzz, "HANG", 1.0 if misbehave is hang else 60.0)
    monkeypatch.setattr(fuzz, "MOST_FINDINGS", 1)
    reader = Reader("bad", partial(bad_reader, misbehave), seeds)
    (finding,) = fuzz.fuzz(reader, 10, 0, tmp_path / "kept").findings
    assert re.search(BAD[misbehave], finding), finding
    kept = tmp_path / "kept" / "bad-0-0"
    assert str(kept) in finding
    assert kept.read_bytes() == fuzz.damaged("bad", 0, 0, [SOUND]) != SOUND
    assert not Path("/tmp/escaped").exists()


def test_it_goes_on_after_a_finding(tmp_path):
    outcome = fuzz.fuzz(Reader("bad", partial(bad_reader, crash), seeds), 3, 0, tmp_path)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["bad-0-0", "bad-0-1", "bad-0-2"]
    assert len(outcome.findings) == 3
    assert "| bad | 3 | 0 | 0 | 3 |" in fuzz.table([outcome])


def test_a_sound_file_that_is_not_read_is_a_mistake_of_the_campaign(tmp_path):
    reader = Reader("bad", raise_another_exception, seeds)
    with pytest.raises(ValueError, match="bad: a intact file is not read"):
        fuzz.fuzz(reader, 10, 0, tmp_path)


def test_a_seed_decides_every_input():
    assert fuzz.damaged("idx", 3, 7, [SOUND]) == fuzz.damaged("idx", 3, 7, [SOUND])
    others = [("idx", 3, 8), ("idx", 4, 7), ("npy", 3, 7)]
    inputs = {fuzz.damaged(*other, [SOUND]) for other in [("idx", 3, 7), *others]}
    assert len(inputs) == 4


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_no_reader_does_anything_else_than_read_or_refuse(tmp_path, reader):
    outcome = fuzz.fuzz(reader, 60, 0, tmp_path)
    assert outcome.findings == []
    assert outcome.read + outcome.refused == 60
    assert outcome.refused > 0
    line = fuzz.table([outcome]).splitlines()[2]
    assert line.startswith(f"| {reader.name} | 60 | {outcome.read} | {outcome.refused} | 0 |")
