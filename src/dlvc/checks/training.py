"""What has to be true of what a training leaves in results/."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlvc.checks.images import CLASSES, pictures
from dvcview.files.artifacts import read_csv, read_json, read_npy, read_weights
from dvcview.verify.contract import Contract, Outs

if TYPE_CHECKING:
    from torch import nn

CURVE = ("epoch", "updates", "train_loss", "train_accuracy", "test_loss", "test_accuracy")
LECTURE_SCALE = "train_loss_lecture_scale"


@dataclass(frozen=True)
class Training:
    """What a training has learned from, and what its settings imply for its outs."""

    images: str  # the out that holds them
    model: Callable[[Mapping[str, Any]], nn.Module]
    section: str  # of params.yaml, with `epochs`
    batch_size: str | int | None  # its key in the section; None: all batches make one update
    lecture_scale: bool = False

    @property
    def summary(self) -> str:
        """The file that says how many images there are."""
        return f"{self.images}/summary.json"

    @property
    def columns(self) -> tuple[str, ...]:
        """Of curves.csv."""
        return (*CURVE, LECTURE_SCALE) if self.lecture_scale else CURVE

    def updates_an_epoch(self, outs: Outs) -> int:
        """How many batches the training images make; the last may be smaller."""
        match self.batch_size:
            case None:
                return 1
            case str(key):
                size = int(outs.params[f"{self.section}.{key}"])
            case number:
                size = number
        images: int = read_json(outs.root / self.summary)["train"]["images"]
        return math.ceil(images / size)

    def metrics(self, outs: Outs) -> Iterator[str]:
        """Keys, types and ranges of metrics.json."""
        found: dict[str, Any] = read_json(outs / "metrics.json")
        kinds: dict[str, Any] = dict.fromkeys(self.columns, float)
        kinds |= {"epoch": int, "updates": int, "parameters": int, "data": str, "computed": str}
        if set(found) != set(kinds):
            yield f"has not the expected keys: {', '.join(sorted(set(found) ^ set(kinds)))}"
        for key, value in found.items():
            if not isinstance(value, kinds.get(key, object)):
                yield f"{key} is {value!r}, expected {kinds[key].__name__}"
            elif "accuracy" in key and not 0 <= value <= 1:
                yield f"{key} is {value}, expected 0 to 1"
            elif "loss" in key and not 0 <= value < math.inf:
                yield f"{key} is {value}, expected a finite number from 0"

    def curve(self, outs: Outs) -> Iterator[str]:
        """A row an epoch, of which the last is metrics.json."""
        rows, metrics = read_csv(outs / "curves.csv"), read_json(outs / "metrics.json")
        if tuple(rows[0]) != self.columns:
            yield f"has the columns {', '.join(rows[0])}; expected {', '.join(self.columns)}"
            return
        n = outs.params[f"{self.section}.epochs"]
        epochs = [row["epoch"] for row in rows]
        if epochs != [str(number + 1) for number in range(n)]:
            yield f"has the epochs {', '.join(epochs)}; expected 1 to {n}"
        numbers = np.array([[float(row[key]) for key in self.columns] for row in rows])
        if not (np.isfinite(numbers) & (numbers >= 0)).all():
            yield "has numbers that are not finite or below 0"
        differing = [key for key in self.columns if float(rows[-1][key]) != metrics[key]]
        if differing:
            yield f"ends with another {', '.join(differing)} than metrics.json"

    def updates(self, outs: Outs) -> Iterator[str]:
        """As many as the images and the batch size make."""
        found = [int(row["updates"]) for row in read_csv(outs / "curves.csv")]
        step = self.updates_an_epoch(outs)
        if found != [step * (number + 1) for number in range(len(found))]:
            yield f"has {found[-1]} updates at its end; expected {step} more with every epoch"

    def seeds(self, outs: Outs) -> Iterator[str]:
        """The same columns from every seed; those of the first are curves.csv."""
        rows, first = read_csv(outs / "seeds.csv"), read_csv(outs / "curves.csv")
        shared = self.section.partition(".")[0]  # lecture 24's rules have the first seed in common
        seed = outs.params[f"{shared}.seed"]
        number = outs.params.get(f"{self.section}.seeds") or outs.params[f"{shared}.seeds"]
        found = list(dict.fromkeys(row["seed"] for row in rows))
        if found != [str(seed + n) for n in range(number)]:
            yield f"has the seeds {', '.join(found)}; expected {number} from {seed}"
        if [row for row in rows if row.pop("seed") == str(seed)] != first:
            yield "does not begin with curves.csv"

    def weights(self, outs: Outs) -> Iterator[str]:
        """Names, shapes and dtypes of the model's `state_dict`, and finite numbers."""
        import torch

        from dlvc.training.summary import count_parameters

        with torch.device("meta"):  # shapes without numbers: nothing is drawn, nothing filled
            model = self.model(outs.params)
        found, built = read_weights(outs / "weights.safetensors"), model.state_dict()
        if set(found) != set(built):
            yield f"has not the model's tensors: {', '.join(sorted(set(found) ^ set(built)))}"
        for name in sorted(set(found) & set(built)):
            kinds = [f"{one[name].dtype} {tuple(one[name].shape)}" for one in (found, built)]
            if kinds[0] != kinds[1]:
                yield f"{name} is {kinds[0]}, expected {kinds[1]}"
            elif not torch.isfinite(found[name]).all():
                yield f"{name} has numbers that are not finite"
        learned, said = count_parameters(model), read_json(outs / "metrics.json")["parameters"]
        if learned != said:
            yield f"has {learned} parameters, metrics.json {said}"

    def confusion(self, outs: Outs) -> Iterator[str]:
        """Counts by true and by predicted class; those on the diagonal make the accuracy."""
        counts = read_confusion(outs / "confusion.csv")
        said = read_json(outs / "metrics.json")["test_accuracy"]
        if counts.shape != (CLASSES, CLASSES) or counts.min() < 0:
            yield f"is {counts.shape}, from {counts.min()}; expected counts of {CLASSES} classes"
        elif counts.trace() / counts.sum() != said:
            yield f"has {counts.trace() / counts.sum()} on its diagonal, metrics.json {said}"

    def tested(self, outs: Outs) -> Iterator[str]:
        """Each test image is in one row, that of its class."""
        found = read_confusion(outs / "confusion.csv").sum(axis=1).tolist()
        images = list(read_json(outs.root / self.summary)["test"]["counts"].values())
        if found != images:
            yield f"has {found} test images by class, {self.summary} {images}"


def training(learned: Training) -> tuple[Contract, ...]:
    """Of every training stage."""
    return (
        Contract("metrics.json", learned.metrics),
        Contract("curves.csv", learned.curve, ("metrics.json",)),
        Contract("curves.csv", learned.updates, inputs=(learned.summary,)),
        Contract("seeds.csv", learned.seeds, ("curves.csv",)),
        Contract("weights.safetensors", learned.weights, ("metrics.json",)),
        Contract("confusion.csv", learned.confusion, ("metrics.json",)),
        Contract("confusion.csv", learned.tested, inputs=(learned.summary,)),
        *pictures("loss.png", "accuracy.png", "confusion.png"),
    )


def update_losses() -> tuple[Contract, ...]:
    """Of the stages of lecture 24: the loss of each update, float32 `(updates,)`."""

    def losses(outs: Outs) -> Iterator[str]:
        found = read_npy(outs / "update_losses.npy")
        expected = (read_json(outs / "metrics.json")["updates"],)
        if found.dtype != np.float32 or found.shape != expected:
            yield f"{found.dtype} {found.shape}, expected float32 {expected}"
        elif not np.isfinite(found).all():
            yield "has losses that are not finite"

    contract = Contract("update_losses.npy", losses, ("metrics.json",))
    return (contract, *pictures("update_losses.png"))


def layers() -> tuple[Contract, ...]:
    """Of the stages that look into their model: its layers, with parameters that add up."""

    def table(outs: Outs) -> Iterator[str]:
        found = sum(int(row["parameters"]) for row in read_csv(outs / "layers.csv"))
        expected = read_json(outs / "metrics.json")["parameters"]
        if found != expected:
            yield f"has {found} parameters, metrics.json {expected}"

    return (Contract("layers.csv", table, ("metrics.json",)),)


def kernels(*names: str) -> tuple[Contract, ...]:
    """Of the same stages: kernels before and after, float32 `(2, kernels, ...)`, and a picture."""

    def of(name: str) -> Contract:
        def pair(outs: Outs) -> Iterator[str]:
            found = read_npy(outs / f"{name}.npy")
            if found.dtype != np.float32 or len(found) != 2:
                yield f"{found.dtype} {found.shape}, expected float32 (2, kernels, ...)"
            elif not np.isfinite(found).all():
                yield "has weights that are not finite"

        return Contract(f"{name}.npy", pair)

    return (*map(of, names), *pictures(*(f"{name}.png" for name in names)))


def read_confusion(path: Path) -> NDArray[np.int64]:
    """Test images by true class and by predicted class, int64 `(C, C)`."""
    rows = read_csv(path)
    return np.array([[int(n) for key, n in row.items() if key != "true"] for row in rows])
