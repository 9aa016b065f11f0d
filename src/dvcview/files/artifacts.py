"""The only writer and reader of files: atomic, and the same bytes for the same content.

A file gets its name when it is complete (written beside its place, flushed to disk, renamed), so
a reader never meets half a file and a crash leaves the previous one. Nothing that changes from
run to run without cause (dates, host names, temporary names) gets into a file.
"""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray
from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent

from dvcview.errors import UserError, first_line, one_line
from dvcview.files.memmap import parts_of
from dvcview.files.pickles import unpickle_array

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

PICKLE_PROTOCOL = 4  # fixed, so that another Python writes the same bytes
FIGURE_DPI = 110
LARGEST_YAML = 20_000  # characters, five times params.yaml: the parser takes half a second
MOST_BRACKETS = 500  # where they lie in each other, its time grows with their square
LONGEST_PROBLEM = 150  # characters of what the parser says


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """A full disk, a folder without access, a file in the way: one line that names the path."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror or first_line(error)}); make room or give "
            "access, then run the same command again. `dvc checkout` brings earlier results back"
        ) from None


@contextmanager
def _atomic(path: Path) -> Iterator[BinaryIO]:
    """A binary file that appears at `path` only when the block has ended without an error."""
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
def _readable(path: Path, kind: str) -> Iterator[None]:
    """Whatever a library says about a broken file becomes one line that names the file."""
    try:
        yield
    except Exception as error:  # a broken file can raise anything, MemoryError included
        raise UserError(
            f"{path}: not readable as {kind} ({first_line(error)}); make it again with `dvc repro`"
        ) from None


def write_bytes(path: Path, *contents: bytes | memoryview) -> None:
    """Write `contents` to `path`, one behind the other, atomically."""
    with _atomic(path) as file:
        for content in contents:
            file.write(content)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, keys in the order given; NaN and infinity are refused (`ValueError`)."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode())


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    with _readable(path, "JSON"):
        return json.loads(path.read_text(encoding="utf-8"))


def read_yaml(path: Path) -> Any:
    """The content of a YAML file, as `parse_yaml` takes it."""
    try:
        # A pipe would keep us waiting for its writer, a device might never end.
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
    """The content of YAML text (version 1.2, duplicate keys and aliases refused)."""
    _check_yaml_size(len(text), name)
    if text.count("[") + text.count("{") > MOST_BRACKETS:
        raise UserError(f"{name}: more than {MOST_BRACKETS} brackets; write lists line by line")
    yaml = YAML(typ="safe", pure=True)  # libyaml names the wrong line
    yaml.Composer, yaml.Constructor = _TreeComposer, _PlacedConstructor
    try:
        return yaml.load(text)
    except RecursionError:
        raise UserError(f"{name}: not valid YAML (nested too deeply)") from None
    except Exception as error:  # not all of the parser's own: a list for a key is a TypeError
        mark = getattr(error, "problem_mark", None)
        position = mark.index if mark else getattr(error, "position", 0)
        line = text.count("\n", 0, position) + 1
        problem = one_line(getattr(error, "problem", None) or str(error))[:LONGEST_PROBLEM]
        raise UserError(f"{name}, line {line}: not valid YAML ({problem})") from None


def _check_yaml_size(size: int, name: str) -> None:
    if size > LARGEST_YAML:
        raise UserError(f"{name}: {size} characters long; allowed: at most {LARGEST_YAML}")


class _TreeComposer(Composer):  # type: ignore[misc]
    """Refuses aliases: a few lines of them stand for more values than memory holds, and `-S`, told
    to change the value in one section, changes it in all that share it."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.parser.check_event(AliasEvent):
            mark = self.parser.peek_event().start_mark
            raise ComposerError(None, None, "aliases are not allowed: write the value out", mark)
        return super().compose_node(parent, index)


class _PlacedConstructor(SafeConstructor):  # type: ignore[misc]
    """Says where a scalar stands that is not of its kind, such as `!!bool x`."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (YAMLError, RecursionError):
            raise
        except Exception as error:  # whatever Python raises for it
            raise ConstructorError(None, None, first_line(error), node.start_mark) from None


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that share their keys; floats keep every digit (`repr`)."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a .csv file with a header."""
    with _readable(path, "CSV"), path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def write_npy(path: Path, array: NDArray[Any]) -> None:
    """Write an array as .npy, C order, so that it can be memory-mapped."""
    with npy_writer(path, array.shape, array.dtype) as write:
        for part in parts_of(np.atleast_1d(array)):
            write(part)


@contextmanager
def npy_writer(
    path: Path, shape: tuple[int, ...], dtype: DTypeLike
) -> Iterator[Callable[[NDArray[Any]], None]]:
    """A function that takes the rows of an array as they come; their .npy appears at the end."""
    if np.dtype(dtype).hasobject:
        raise ValueError("Python objects are no numbers")
    kind = np.lib.format.dtype_to_descr(np.dtype(dtype))
    with _atomic(path) as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": kind, "fortran_order": False, "shape": shape}
        )

        def write(rows: NDArray[Any]) -> None:
            # NumPy itself writes through C's buffers, and does not hear of a full disk.
            file.write(np.ascontiguousarray(rows, dtype).data.cast("B"))

        yield write


def read_npy(path: Path) -> NDArray[Any]:
    """A read-only memory map of an array."""
    with _readable(path, ".npy array"):
        with path.open("rb") as file:
            if np.lib.format.read_magic(file) != (1, 0):  # later ones can announce a header of 4 GB
                raise ValueError("not of version 1.0")
        array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    return array


def write_pickle(path: Path, array: NDArray[Any]) -> None:
    """Pickle a plain array, as lecture 5 loads it."""
    write_bytes(path, pickle.dumps(np.ascontiguousarray(array), protocol=PICKLE_PROTOCOL))


def read_pickle(path: Path) -> NDArray[Any]:
    """Read a pickled plain array; anything else in the file is refused before it can run."""
    with _readable(path, "pickle of a plain array"):
        return unpickle_array(path.read_bytes())


def write_weights(path: Path, state: Mapping[str, torch.Tensor]) -> None:
    """Write a model's `state_dict` as safetensors."""
    write_bytes(path, weights_as_bytes(state))


def weights_as_bytes(state: Mapping[str, torch.Tensor]) -> bytes:
    """A `state_dict` as safetensors, whatever device and layout its tensors have."""
    from safetensors.torch import save

    content: bytes = save({name: value.cpu().contiguous() for name, value in state.items()})
    return content


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a `state_dict` from safetensors."""
    from safetensors.torch import load_file

    with _readable(path, "safetensors"):
        weights: dict[str, torch.Tensor] = load_file(path)
    return weights


def write_figure(path: Path, figure: Figure) -> None:
    """Write a matplotlib figure as PNG, without the version that matplotlib stamps into it."""
    with _atomic(path) as file:
        figure.savefig(file, format="png", dpi=FIGURE_DPI, metadata={"Software": None})
