"""The copies of dvc.lock: when one is made, and which one answers a question."""

from __future__ import annotations

from pathlib import Path

import pytest

from dvcview.project import lock_copies
from dvcview.project.lock_copies import (
    COPIES,
    copies_since,
    copy_before,
    delete_old_copies,
    keep_copy,
    newest_copy,
)


def lock(number: int) -> str:
    return f"schema: '2.0'\nstages:\n  fit:\n    cmd: echo {number}\n"


@pytest.fixture
def keep(tmp_path, monkeypatch):
    """Copy a dvc.lock with a number, or none, at a time."""

    def keep(time: int, number: int | None) -> Path:
        monkeypatch.setattr(lock_copies.time, "time_ns", lambda: time * 1_000_000)
        (tmp_path / "dvc.lock").unlink(missing_ok=True)
        if number is not None:
            (tmp_path / "dvc.lock").write_text(lock(number))
        keep_copy(tmp_path)
        return tmp_path

    return keep


def test_only_a_dvc_lock_that_differs_from_the_newest_copy_is_copied(keep):
    keep(100, 1)
    keep(200, 1)
    root = keep(300, 2)
    assert sorted(file.name for file in (root / COPIES).iterdir()) == ["100.lock", "300.lock"]
    assert newest_copy(root).decode() == lock(2)
    (root / "dvc.lock").write_text(lock(3)[:20])
    keep_copy(root)
    assert newest_copy(root).decode() == lock(2)


def test_the_copy_before_an_execution_is_the_last_earlier_one_or_else_the_first(keep):
    root = keep(1000, None)  # the first stage of a new project has no dvc.lock
    assert copy_before(root, 500) == ""
    keep(2000, 1)
    keep(3000, 2)
    assert copy_before(root, 2500) == lock(1)
    assert copy_before(root, 500) == ""


def test_the_entry_of_a_stage_is_in_a_later_copy_or_in_the_one_that_was_the_newest(keep):
    for number in (1, 2, 3):
        root = keep(number * 1000, number)
    assert copies_since(root, 1500) == [lock(2), lock(3), lock(1)]
    assert copies_since(root, 3000) == [lock(3), lock(2)]
    assert copies_since(root, 9000) == [lock(3)]
    delete_old_copies(root)
    assert copies_since(root, 0) == [lock(3)]


def test_without_copies_there_is_nothing(tmp_path):
    assert (newest_copy(tmp_path), copy_before(tmp_path, 1), copies_since(tmp_path, 1)) == (
        b"", "", [],
    )  # fmt: skip
