"""The curves of trainings, as the stages write them: one training with several seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvcview.files.artifacts import read_csv

Numbers = NDArray[np.float64]


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

    def complete(self) -> Curves:
        """The curves with as many epochs as the longest one. A training that diverged has fewer."""
        most = max(map(len, self.curves), default=0)
        return Curves(self.file, tuple(curve for curve in self.curves if len(curve) == most))

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


def of_same_seeds(*trainings: Curves) -> list[Curves]:
    """The curves of the seeds that all of these trainings have, in the order of the seeds."""
    seeds = set.intersection(*({curve.seed for curve in curves} for curves in trainings))
    return [
        Curves(
            curves.file,
            tuple(sorted((c for c in curves if c.seed in seeds), key=lambda curve: curve.seed)),
        )
        for curves in trainings
    ]


def at_best_rate(exercise: Curves, training: str) -> Curves:
    """A training such as "SGD 10" at its best learning rate, from all seeds but the first one.

    The first seed has chosen the rate (`Trainings.run_best`), so it does not judge. Trainings that
    diverged are left out.
    """
    first = min((curve.seed for curve in exercise), default=None)
    others = (
        curve
        for curve in exercise.complete()
        if curve.training.startswith(f"{training}, rate ") and curve.seed != first
    )
    return Curves(exercise.file, tuple(others))
