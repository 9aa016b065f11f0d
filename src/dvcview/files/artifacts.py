"""Read and write result files. Writes are atomic, and the same content gives the same bytes.

A file is written under a temporary name in the same folder, flushed to disk, and renamed. So a
reader never sees half a file, and a crash leaves the previous one. No file contains anything that
changes from run to run without cause, such as dates, host names and temporary names.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from dvcview.errors import UserError, first_line, not_writable


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Raise a `UserError` that names `path` if writing fails, for example if the disk is full."""
    try:
        yield
    except OSError as error:
        raise not_writable(path, error) from None


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A binary file that appears at `path` only if the block ends without an error."""
    partial = path.with_name(f".{path.name}.partial")
    with writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)


@contextmanager
def readable(path: Path, kind: str) -> Iterator[None]:
    """Raise a `UserError` that names the file if a library cannot read it."""
    try:
        yield
    except Exception as error:  # reading a damaged file can raise anything, even MemoryError
        raise UserError(
            f"{path}: not readable as {kind} ({first_line(error)}); recreate it with `dvc repro`"
        ) from None


def write_bytes(path: Path, *contents: bytes | memoryview) -> None:
    """Write the concatenated `contents` to `path`, atomically."""
    with atomic_file(path) as file:
        for content in contents:
            file.write(content)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object; the keys keep their order.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode())


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    with readable(path, "JSON"):
        return json.loads(path.read_text(encoding="utf-8"))


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that have the same keys; floats keep every digit (`repr`)."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read the rows of a .csv file with a header."""
    with readable(path, "CSV"), path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))
