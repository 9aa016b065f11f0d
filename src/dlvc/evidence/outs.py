"""Access to the outs of the stages in the form that the rules need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlvc.evidence.curves import Curves, Numbers, read_curves
from dlvc.evidence.gpu import GpuRun
from dvcview.files.artifacts import read_csv, read_json, readable

CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
LECTURES_IMAGES = {"MNIST": (60_000, 10_000), "CIFAR-10": (50_000, 10_000)}
MNIST_IMAGES, _ = LECTURES_IMAGES["MNIST"]  # for training
TIMES = "benchmarks/rules.json"


def read_confusion(file: Path) -> tuple[list[str], NDArray[np.int64]]:
    """Read a confusion.csv: the classes, and counts int64 `(C, C)`; rows are true classes."""
    rows = [list(row.values()) for row in read_csv(file)]
    return [name for name, *_ in rows], np.array([list(map(int, counts)) for _, *counts in rows])


class Evidence:
    """The outs in a project's folder `root`. Files are read on demand.

    `params` has the values of params.yaml by flat name. `times` is benchmarks/rules.json. `printed`
    has the lectures' figures, as `dlvc.evidence.lectures.printed_figures` returns them. `gpu` is
    the run on a GPU, or None if it does not count as evidence.
    """

    def __init__(
        self,
        root: Path,
        params: Mapping[str, Any],
        times: Mapping[str, Any],
        printed: Mapping[str, Mapping[str, Mapping[int, float]]],
        gpu: GpuRun | None = None,
    ) -> None:
        self.root = root
        self.params = params
        self.times = times
        self.printed = printed
        self.gpu = gpu
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
