"""What the outs of the stages say, as the rules ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvcview.files.artifacts import read_csv, read_json, read_npy

Numbers = NDArray[np.float64]
CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
LECTURES_IMAGES = {"MNIST": (60_000, 10_000), "CIFAR-10": (50_000, 10_000)}


@dataclass(frozen=True)
class Curve:
    """One training from one seed: a number an epoch in each column."""

    training: str
    seed: int
    columns: Mapping[str, Numbers]

    def __getitem__(self, column: str) -> Numbers:
        return self.columns[column]

    def __len__(self) -> int:
        return len(self.columns["epoch"])


@dataclass(frozen=True)
class Curves:
    """The same training from several seeds; `file` is where that is written."""

    file: str
    curves: tuple[Curve, ...]

    def __iter__(self) -> Any:
        return iter(self.curves)

    def __len__(self) -> int:
        return len(self.curves)

    @property
    def epochs(self) -> int:
        """As many as all of them have."""
        return min(map(len, self.curves), default=0)

    def of(self, training: str) -> Curves:
        """Only one of an exercise's trainings."""
        return Curves(self.file, tuple(one for one in self.curves if one.training == training))

    def at(self, column: str, epoch: int) -> Numbers:
        """A column after an epoch, counted from 1, or after the last (-1): `(seeds,)`."""
        place = epoch - 1 if epoch > 0 else epoch
        return np.array([one[column][place] for one in self.curves])

    def last(self, column: str) -> Numbers:
        """A column after the last epoch, `(seeds,)`."""
        return self.at(column, -1)

    def stack(self, column: str) -> Numbers:
        """A column over the epochs that all have, `(seeds, epochs)`."""
        return np.stack([one[column][: self.epochs] for one in self.curves])


def read_curves(root: Path, file: str) -> Curves:
    """Of a seeds.csv, or of an exercise's trainings.csv."""
    rows: dict[tuple[str, int], list[dict[str, str]]] = {}
    for row in read_csv(root / file):
        rows.setdefault((row.pop("training", ""), int(row.pop("seed"))), []).append(row)
    return Curves(
        file,
        tuple(
            Curve(name, seed, {key: np.array([float(row[key]) for row in of]) for key in of[0]})
            for (name, seed), of in rows.items()
        ),
    )


class Evidence:
    """The outs of a project's folder, each read when it is first asked for."""

    def __init__(self, root: Path, params: Mapping[str, Any], times: Mapping[str, Any]) -> None:
        self.root = root
        self.params = params  # with flat names
        self.times = times  # benchmarks/rules.json
        self._curves: dict[str, Curves] = {}

    def curves(self, stage: str) -> Curves:
        """The curves of a training stage from all seeds."""
        return self._read(f"results/{stage.replace('@', '/')}/seeds.csv")

    def exercise(self, name: str) -> Curves:
        """The curves of all trainings of an exercise; none where it is off."""
        if not self.about(name)["epochs"]:
            return Curves(f"results/claims/{name}/about.json", ())
        return self._read(f"results/claims/{name}/trainings.csv")

    def about(self, exercise: str) -> Any:
        """How many images an exercise had, and which of its trainings diverged."""
        return read_json(self.root / f"results/claims/{exercise}/about.json")

    def metrics(self, stage: str) -> Any:
        """The metrics.json of a training stage."""
        return read_json(self.root / f"results/{stage.replace('@', '/')}/metrics.json")

    def array(self, file: str) -> NDArray[Any]:
        """An array among the outs."""
        return read_npy(self.root / file)

    def table(self, name: str) -> list[dict[str, str]]:
        """One of the tables of the stage `costs`."""
        return read_csv(self.root / f"results/costs/{name}.csv")

    @cached_property
    def models(self) -> dict[str, dict[str, str]]:
        """What each model costs, by its name."""
        return {row["model"]: row for row in self.table("models")}

    def images(self, name: str) -> Any:
        """The summary.json of `digits` or `photos`."""
        return read_json(self.root / f"data/{name}/summary.json")

    @cached_property
    def has_mnist(self) -> bool:
        """Whether the digits are those of the lectures."""
        return is_like(self.images("digits"), "MNIST", [str(digit) for digit in range(10)])

    @cached_property
    def has_cifar10(self) -> bool:
        """Whether the photographs are those of the lectures, be it as JPEG re-encoded."""
        return is_like(self.images("photos"), "CIFAR-10", CIFAR10_CLASSES)

    def _read(self, file: str) -> Curves:
        if file not in self._curves:
            self._curves[file] = read_curves(self.root, file)
        return self._curves[file]


def is_like(summary: Mapping[str, Any], original: str, classes: Sequence[str]) -> bool:
    """Whether images are the lectures': no stand-ins, as many, and of the same classes.

    A folder of re-encoded pictures counts: it has another name, and the page says it.
    """
    numbers = tuple(summary[part]["images"] for part in ("train", "test"))
    return (
        summary["stand_in_for"] is None
        and numbers == LECTURES_IMAGES[original]
        and sorted(summary["classes"]) == sorted(classes)
    )
