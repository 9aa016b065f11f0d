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

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent

from dvcview.errors import UserError, first_line, not_writable, one_line

LARGEST_YAML = 20_000  # characters, five times params.yaml; parsing takes half a second
MOST_BRACKETS = 500  # the parser's time grows with the square of the nesting depth
LONGEST_PROBLEM = 150  # characters of the parser's message


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


def read_yaml(path: Path) -> Any:
    """Read a YAML file; see `parse_yaml`.

    Raises:
        UserError: the file cannot be read, or `parse_yaml` rejects its content.
    """
    try:
        # Reading a pipe would wait for a writer, and reading a device might never end.
        if not path.is_dir() and not path.is_file() and path.exists():
            raise UserError(f"{path}: cannot be read (a pipe or device, not a file)")
        _check_yaml_size(path.stat().st_size, str(path))
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start})") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> Any:
    """Parse YAML 1.2.

    Args:
        text: the YAML text.
        name: the name of the text in error messages.

    Raises:
        UserError: the text is not valid YAML, too long, or has duplicate keys or aliases.
    """
    _check_yaml_size(len(text), name)
    if text.count("[") + text.count("{") > MOST_BRACKETS:
        raise UserError(f"{name}: more than {MOST_BRACKETS} brackets; write one list item per line")
    yaml = YAML(typ="safe", pure=True)  # libyaml reports a wrong line
    yaml.Composer, yaml.Constructor = _NoAliasComposer, _LocatingConstructor
    try:
        return yaml.load(text)
    except RecursionError:
        raise UserError(f"{name}: not valid YAML (nested too deeply)") from None
    except Exception as error:  # not only the parser's own: a list as a key raises TypeError
        mark = getattr(error, "problem_mark", None)
        position = mark.index if mark else getattr(error, "position", 0)
        line = text.count("\n", 0, position) + 1
        problem = one_line(getattr(error, "problem", None) or str(error))[:LONGEST_PROBLEM]
        raise UserError(f"{name}, line {line}: not valid YAML ({problem})") from None


def _check_yaml_size(size: int, name: str) -> None:
    if size > LARGEST_YAML:
        raise UserError(f"{name}: {size} characters long; allowed: at most {LARGEST_YAML}")


class _NoAliasComposer(Composer):  # type: ignore[misc]
    """Rejects aliases.

    A few lines of aliases can expand to more values than fit in memory. Also, `dvc exp run -S`
    changes a value in all sections that share it through an alias.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.parser.check_event(AliasEvent):
            mark = self.parser.peek_event().start_mark
            raise ComposerError(None, None, "aliases are not allowed: write the value out", mark)
        return super().compose_node(parent, index)


class _LocatingConstructor(SafeConstructor):  # type: ignore[misc]
    """Adds the position to the error for a scalar that does not match its tag (`!!bool x`)."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (YAMLError, RecursionError):
            raise
        except Exception as error:  # the conversion can raise any exception
            raise ConstructorError(None, None, first_line(error), node.start_mark) from None


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
