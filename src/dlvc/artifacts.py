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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML

from dlvc.errors import UserError, first_line

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

# What a pickle of a plain array names: NumPy 2 writes `numpy._core`, NumPy 1 wrote `numpy.core`.
PICKLE_ALLOWED = {
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}
PICKLE_PROTOCOL = 4  # fixed, so that another Python writes the same bytes
FIGURE_DPI = 110


@contextmanager
def _atomic(path: Path) -> Iterator[BinaryIO]:
    """A binary file that appears at `path` only when the block has ended without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _readable(path: Path, kind: str) -> Iterator[None]:
    """Whatever a library says about a broken file becomes one line that names the file."""
    try:
        yield
    except Exception as error:  # a broken pickle can raise anything, MemoryError included
        raise UserError(
            f"{path}: not readable as {kind} ({first_line(error)}); make it again with `dvc repro`"
        ) from None


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, atomically."""
    with _atomic(path) as file:
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
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start})") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> Any:
    """The content of YAML text (version 1.2, duplicate keys refused)."""
    try:
        return YAML(typ="safe", pure=True).load(text)  # libyaml names the wrong line
    except Exception as error:  # a bad scalar such as `!!bool x` comes as whatever Python raised
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = str(getattr(error, "problem", None) or error) or type(error).__name__
        raise UserError(f"{name}{where}: not valid YAML ({problem.splitlines()[0]})") from None


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that share their keys; floats keep every digit (`repr`)."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def write_npy(path: Path, array: NDArray[Any]) -> None:
    """Write an array as .npy, C order, so that it can be memory-mapped."""
    with _atomic(path) as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)


def read_npy(path: Path) -> NDArray[Any]:
    """A read-only memory map of an array."""
    with _readable(path, ".npy array"):
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def write_pickle(path: Path, array: NDArray[Any]) -> None:
    """Pickle a plain array, as lecture 5 loads it."""
    write_bytes(path, pickle.dumps(np.ascontiguousarray(array), protocol=PICKLE_PROTOCOL))


class _ArrayUnpickler(pickle.Unpickler):
    """Builds arrays and nothing else: a pickle can name any function, and would run it."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in PICKLE_ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)


def read_pickle(path: Path) -> NDArray[Any]:
    """Read a pickled plain array; anything else in the file is refused before it can run."""
    with _readable(path, "pickle of a plain array"), path.open("rb") as file:
        array = _ArrayUnpickler(file).load()
    if not isinstance(array, np.ndarray) or array.dtype.hasobject:
        raise UserError(f"{path}: holds {type(array).__name__}, expected a plain array")
    return array


def write_weights(path: Path, state: Mapping[str, torch.Tensor]) -> None:
    """Write a model's `state_dict` as safetensors, on the CPU."""
    from safetensors.torch import save

    write_bytes(path, save({name: value.cpu().contiguous() for name, value in state.items()}))


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
