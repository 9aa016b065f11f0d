"""Access to the outs of the stages in the form that the rules need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvcview.files.artifacts import read_csv, read_json, readable

Numbers = NDArray[np.float64]
CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
LECTURES_IMAGES = {"MNIST": (60_000, 10_000), "CIFAR-10": (50_000, 10_000)}


@dataclass(frozen=True)
class Curve:
    """One training with one seed. Each column `(epochs,)` has one number per epoch."""

    training: str
    seed: int
    columns: Mapping[str, Numbers]

    def __getitem__(self, column: str) -> Numbers:
        return self.columns[column]

    def __len__(self) -> int:
        return len(self.columns["epoch"])


@dataclass(frozen=True)
class Curves:
    """The same training with several seeds; `file` is the CSV file that holds the curves."""

    file: str
    curves: tuple[Curve, ...]

    def __iter__(self) -> Any:
        return iter(self.curves)

    def __len__(self) -> int:
        return len(self.curves)

    @property
    def epochs(self) -> int:
        """The number of epochs that all seeds have; 0 without curves."""
        return min(map(len, self.curves), default=0)

    def of(self, training: str) -> Curves:
        """The curves of one of an exercise's trainings."""
        selected = (curve for curve in self.curves if curve.training == training)
        return Curves(self.file, tuple(selected))

    def at(self, column: str, epoch: int) -> Numbers:
        """A column after an epoch, `(seeds,)`. Epochs are counted from 1; -1 is the last one."""
        index = epoch - 1 if epoch > 0 else epoch
        return np.array([curve[column][index] for curve in self.curves])

    def last(self, column: str) -> Numbers:
        """A column after the last epoch, `(seeds,)`."""
        return self.at(column, -1)

    def stack(self, column: str) -> Numbers:
        """A column over the epochs that all seeds have, `(seeds, epochs)`."""
        return np.stack([curve[column][: self.epochs] for curve in self.curves])


def read_curves(root: Path, file: str) -> Curves:
    """Read a stage's seeds.csv or an exercise's trainings.csv."""
    groups: dict[tuple[str, int], list[dict[str, str]]] = {}
    for row in read_csv(root / file):
        groups.setdefault((row.pop("training", ""), int(row.pop("seed"))), []).append(row)
    return Curves(
        file,
        tuple(
            Curve(name, seed, {key: np.array([float(row[key]) for row in rows]) for key in rows[0]})
            for (name, seed), rows in groups.items()
        ),
    )


def read_columns(file: Path) -> dict[str, Numbers]:
    """Read a stage's curves.csv: each column `(epochs,)` by its name."""
    rows = read_csv(file)
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def read_confusion(file: Path) -> tuple[list[str], NDArray[np.int64]]:
    """Read a confusion.csv: the classes, and counts int64 `(C, C)`; rows are true classes."""
    rows = [list(row.values()) for row in read_csv(file)]
    return [name for name, *_ in rows], np.array([list(map(int, counts)) for _, *counts in rows])


class Evidence:
    """The outs in a project's folder `root`. Files are read on demand.

    `params` has the values of params.yaml by flat name. `times` is benchmarks/rules.json.
    """

    def __init__(self, root: Path, params: Mapping[str, Any], times: Mapping[str, Any]) -> None:
        self.root = root
        self.params = params
        self.times = times
        self._curves: dict[str, Curves] = {}

    def curves(self, stage: str) -> Curves:
        """The curves of a training stage, of all seeds."""
        return self._read(f"results/{stage.replace('@', '/')}/seeds.csv")

    def exercise(self, name: str) -> Curves:
        """The curves of all trainings of an exercise; empty if the exercise is off."""
        if not self.about(name)["epochs"]:
            return Curves(f"results/claims/{name}/about.json", ())
        return self._read(f"results/claims/{name}/trainings.csv")

    def about(self, exercise: str) -> Any:
        """The about.json of an exercise: its images, epochs and diverged trainings."""
        return read_json(self.root / f"results/claims/{exercise}/about.json")

    def metrics(self, stage: str) -> Any:
        """The metrics.json of a training stage."""
        return read_json(self.root / f"results/{stage.replace('@', '/')}/metrics.json")

    def array(self, file: str) -> NDArray[Any]:
        """Open an .npy file as a memory map; `file` is relative to the project's folder."""
        with readable(self.root / file, ".npy array"):
            array: NDArray[Any] = np.load(self.root / file, mmap_mode="r")
        return array

    def table(self, name: str) -> list[dict[str, str]]:
        """The rows of a table of the stage `costs`."""
        return read_csv(self.root / f"results/costs/{name}.csv")

    @cached_property
    def models(self) -> dict[str, dict[str, str]]:
        """The rows of models.csv by the name of the model."""
        return {row["model"]: row for row in self.table("models")}

    def images(self, name: str) -> Any:
        """The summary.json of `digits` or `photos`."""
        return read_json(self.root / f"data/{name}/summary.json")

    @cached_property
    def has_mnist(self) -> bool:
        """Whether the digits are the lectures' MNIST."""
        return is_like(self.images("digits"), "MNIST", [str(digit) for digit in range(10)])

    @cached_property
    def has_cifar10(self) -> bool:
        """Whether the photographs are the lectures' CIFAR-10, possibly re-encoded as JPEG."""
        return is_like(self.images("photos"), "CIFAR-10", CIFAR10_CLASSES)

    def has_lectures_images(self, name: str) -> bool:
        """Whether `digits` or `photos` are the images of the lectures."""
        return self.has_mnist if name == "digits" else self.has_cifar10

    def _read(self, file: str) -> Curves:
        if file not in self._curves:
            self._curves[file] = read_curves(self.root, file)
        return self._curves[file]


def mean_and_range(values: Numbers, to_text: Callable[[float], str]) -> str:
    """The mean of all seeds as text; with several seeds also the lowest and the highest value.

    >>> mean_and_range(np.array([0.25, 0.75]), "{:.0%}".format)
    '50% (25% to 75%)'
    """
    text = to_text(values.mean())
    if len(values) == 1:
        return text
    return f"{text} ({to_text(values.min())} to {to_text(values.max())})"


def is_like(summary: Mapping[str, Any], original: str, classes: Sequence[str]) -> bool:
    """Whether a data set is one of the lectures', judged by its summary.json.

    It must not be a stand-in, and it must have the same number of images and the same classes. A
    folder of re-encoded pictures counts. It has another name, which the page shows.
    """
    counts = tuple(summary[part]["images"] for part in ("train", "test"))
    return (
        summary["stand_in_for"] is None
        and counts == LECTURES_IMAGES[original]
        and sorted(summary["classes"]) == sorted(classes)
    )
