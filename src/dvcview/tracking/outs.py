"""Reads what MLflow shows of a state's outs: metrics, curves, and small pictures and texts."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from dvcview.console import log
from dvcview.errors import UserError
from dvcview.files.artifacts import readable
from dvcview.files.yaml_files import read_yaml
from dvcview.project.lockfile import MissingFileError, Pipeline, StageState
from dvcview.project.params import flatten

PICTURES = {".gif", ".jpeg", ".jpg", ".png", ".svg", ".webp"}
TABLES = {".csv", ".tsv", ".json", ".yaml", ".yml"}
TEXTS = {".html", ".md", ".toml", ".txt", *TABLES}
LARGEST = 10_000_000  # bytes of a file that is shown
MOST_FILES = 100  # a folder with more files to show is a data set, and none of them is shown
MOST_POINTS = 10_000  # of a curve; a longer one is thinned out evenly


@dataclass(frozen=True)
class Shown:
    """What MLflow shows of the outs of a state.

    Attributes:
        files: the pictures and texts, as copies, by path among the artifacts.
        metrics: the final values, from the files that dvc.yaml declares as metrics.
        texts: the texts in these files.
        curves: the rows of the files that dvc.yaml declares as plots, by step.
    """

    files: Mapping[str, Path] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    curves: Sequence[tuple[int, Mapping[str, float]]] = ()


def read_outs(state: StageState, pipeline: Pipeline, scratch: Path) -> Shown:
    """Copy the files of a state that MLflow shows to `scratch`, and read them; all or none.

    Raises:
        MissingFileError: a file is not on this machine.
    """
    found = _files(state, pipeline)
    copies = {}
    for path, file in found.items():
        copies[path] = scratch / _artifact_path(path, state)
        copies[path].parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copies[path])
    definitions = pipeline.definitions
    values: dict[str, dict[str, Any]] = {}
    tables: dict[str, tuple[str | None, list[dict[str, float]]]] = {}
    names = _short_names(copies)
    for path, copy in copies.items():
        plot = definitions.plot_of(path)
        try:
            if path in definitions.metrics:
                values[names[path]] = read_values(copy)
            elif plot is not None and copy.suffix.lower() in TABLES:
                tables[names[path]] = (plot[1], read_table(copy))
        except UserError as error:
            log(f"{path}: MLflow shows no values of it ({error})")
    every = _joined(values)
    return Shown(
        files={_artifact_path(path, state): copy for path, copy in copies.items()},
        metrics={key: float(v) for key, v in every.items() if _is_number(v)},
        texts={key: v for key, v in every.items() if isinstance(v, str)},
        curves=curves_of(tables),
    )


def _files(state: StageState, pipeline: Pipeline) -> dict[str, Path]:
    """The files that are shown, by path, each where it is on this machine."""
    declared = pipeline.definitions
    shown: dict[str, str] = {}
    for out, md5 in state.outs.items():
        inside = pipeline.files_of(out, md5)
        chosen = {
            path: one
            for path, one in inside.items()
            if Path(path).suffix.lower() in PICTURES | TEXTS or path in declared.metrics
        }
        if len(chosen) <= MOST_FILES:
            shown |= chosen
    files = {}
    for path, md5 in shown.items():
        found = pipeline.find(path, md5)
        if found is None:
            raise MissingFileError(path)
        if found.stat().st_size <= LARGEST:
            files[path] = found
    return files


def _artifact_path(path: str, state: StageState) -> str:
    """The path of a file among the artifacts; for a file outside of the project its name."""
    folder = state.folder
    base = folder.parent if path == folder.as_posix() else folder
    is_outside = path.startswith(("/", "../"))
    return Path(path).name if is_outside else Path(path).relative_to(base).as_posix()


def _short_names(paths: Iterable[str]) -> dict[str, str]:
    """The shortest ends of paths, without suffix, that tell all files apart; by path.

    >>> _short_names(["live/loss.csv", "a/roc.csv", "b/roc.csv"])
    {'live/loss.csv': 'loss', 'a/roc.csv': 'a/roc', 'b/roc.csv': 'b/roc'}
    """
    parts = {path: PurePosixPath(path).with_suffix("").parts for path in paths}
    names = {}
    for path, own in parts.items():
        others = [other for there, other in parts.items() if there != path]
        length = next(
            (n for n in range(1, len(own)) if all(other[-n:] != own[-n:] for other in others)),
            len(own),
        )
        names[path] = "/".join(own[-length:])
    return names


def read_values(file: Path) -> dict[str, Any]:
    """The values of a file of metrics (JSON, YAML or TOML) with flat names; lists are left out."""
    if file.suffix.lower() == ".toml":
        with readable(file, "TOML"):
            content: Any = tomllib.loads(file.read_text(encoding="utf-8"))
    elif file.suffix.lower() in {".yaml", ".yml"}:
        content = read_yaml(file)
    else:
        with readable(file, "JSON"):
            content = json.loads(file.read_text(encoding="utf-8"))
    # DVC reads a file with a single number, too.
    return flatten(content) if isinstance(content, Mapping) else {file.stem: content}


def read_table(file: Path) -> list[dict[str, float]]:
    """The numbers in each row of a table: CSV, TSV, or a list of objects in JSON or YAML."""
    suffix = file.suffix.lower()
    if suffix in {".csv", ".tsv"}:
        with readable(file, suffix[1:].upper()):
            text = io.StringIO(file.read_text(encoding="utf-8"), newline="")
            rows: Any = list(csv.DictReader(text, delimiter="\t" if suffix == ".tsv" else ","))
    elif suffix == ".json":
        with readable(file, "JSON"):
            rows = json.loads(file.read_text(encoding="utf-8"))
    else:
        rows = read_yaml(file)
    if isinstance(rows, Mapping):  # DVC takes the first list in an object
        rows = next((value for value in rows.values() if isinstance(value, list)), [])
    if not isinstance(rows, list):
        return []
    return [
        # Without `index=False`, pandas writes the row numbers into a column without a name.
        {str(k): number for k, v in row.items() if k and (number := _number(v)) is not None}
        for row in rows
        if isinstance(row, Mapping)
    ]


def curves_of(
    tables: Mapping[str, tuple[str | None, list[dict[str, float]]]],
) -> list[tuple[int, dict[str, float]]]:
    """The curves of several tables, each with its column for x, as steps and values.

    A step is the value of x; or the number of the row, if there is no such column or its values are
    not distinct whole numbers. A column that two tables have is named after its table as well.

    >>> curves_of({"a": ("n", [{"n": 5, "loss": 0.5}]), "b": (None, [{"loss": 1.0}, {"acc": 0.1}])})
    [(5, {'a/loss': 0.5}), (0, {'b/loss': 1.0}), (1, {'acc': 0.1})]
    """
    columns = Counter(name for _, rows in tables.values() for name in {k for r in rows for k in r})
    points = []
    for table, (x, rows) in tables.items():
        steps = [row.get(x or "", math.nan) for row in rows]
        if len(set(steps)) < len(steps) or not all(step.is_integer() for step in map(float, steps)):
            steps = list(range(len(rows)))
        stride = math.ceil(len(rows) / MOST_POINTS) or 1
        for step, row in list(zip(steps, rows, strict=True))[::stride]:
            values = {
                _qualified(table, key) if columns[key] > 1 else key: value
                for key, value in row.items()
                if key != x
            }
            points.append((int(step), values))
    return points


def _qualified(table: str, column: str) -> str:
    """`train/loss` for the column `loss` of the table `train/loss`, or of the table `train`."""
    return table if table.rpartition("/")[2] == column else f"{table}/{column}"


def _joined(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values of several files; a name that two files have is preceded by its file's."""
    names = Counter(name for content in values.values() for name in content)
    return {
        f"{file}/{name}" if names[name] > 1 else name: value
        for file, content in values.items()
        for name, value in content.items()
    }


def _number(value: object) -> float | None:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return float(value) if _is_number(value) else None  # type: ignore[arg-type]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
