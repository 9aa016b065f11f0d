"""Contracts of the training stages, whose outs are in results/."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlvc.arrays.array_files import read_npy
from dlvc.checks.contract import Contract, Outs
from dlvc.evidence.outs import read_confusion
from dvcview.files.artifacts import read_csv, read_json

if TYPE_CHECKING:
    from torch import nn

CURVE = ("epoch", "updates", "train_loss", "train_accuracy", "test_loss", "test_accuracy")
LECTURE_SCALE = "train_loss_lecture_scale"
# A function of the parameters and the number of classes.
ModelFn = Callable[[Mapping[str, Any], int], "nn.Module"]


@dataclass(frozen=True)
class TrainingContract:
    """The guarantees of one training, which follow from its images and its settings."""

    images: str  # the out with the images
    model: ModelFn
    section: str  # of params.yaml; it has `epochs`
    batch_size: str | int | None  # its key in the section; None: one update per epoch
    lecture_scale: bool = False

    @property
    def summary(self) -> str:
        """The file that states the number of images."""
        return f"{self.images}/summary.json"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of curves.csv."""
        return (*CURVE, LECTURE_SCALE) if self.lecture_scale else CURVE

    def updates_per_epoch(self, outs: Outs) -> int:
        """The number of batches of the training images; the last batch may be smaller."""
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
        """metrics.json has the expected keys, types and ranges."""
        found: dict[str, Any] = read_json(outs / "metrics.json")
        kinds: dict[str, Any] = dict.fromkeys(self.columns, float)
        kinds |= {"epoch": int, "updates": int, "parameters": int, "data": str, "computed": str}
        if set(found) != set(kinds):
            yield f"lacks or adds keys: {', '.join(sorted(set(found) ^ set(kinds)))}"
        for key, value in found.items():
            if not isinstance(value, kinds.get(key, object)):
                yield f"{key} is {value!r}, expected {kinds[key].__name__}"
            elif "accuracy" in key and not 0 <= value <= 1:
                yield f"{key} is {value}, expected 0 to 1"
            elif "loss" in key and not 0 <= value < math.inf:
                yield f"{key} is {value}, expected a finite number from 0"

    def curve(self, outs: Outs) -> Iterator[str]:
        """curves.csv has one row per epoch, and the last row equals metrics.json."""
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
        """The number of updates follows from the images and the batch size."""
        found = [int(row["updates"]) for row in read_csv(outs / "curves.csv")]
        step = self.updates_per_epoch(outs)
        if found != [step * (number + 1) for number in range(len(found))]:
            yield f"has {found[-1]} updates at its end; expected {step} per epoch"

    def seeds(self, outs: Outs) -> Iterator[str]:
        """seeds.csv has every seed, and its first seed equals curves.csv."""
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
        """The weights have the names, shapes and dtypes of the model, and are finite."""
        import torch

        from dlvc.training.summary import count_parameters
        from dlvc.training.weights import read_weights

        classes, _ = read_confusion(outs / "confusion.csv")
        with torch.device("meta"):  # shapes without values, so no time is spent on initial weights
            model = self.model(outs.params, len(classes))
        found, built = read_weights(outs / "weights.safetensors"), model.state_dict()
        if set(found) != set(built):
            yield f"lacks or adds tensors: {', '.join(sorted(set(found) ^ set(built)))}"
        for name in sorted(set(found) & set(built)):
            kinds = [f"{one[name].dtype} {tuple(one[name].shape)}" for one in (found, built)]
            if kinds[0] != kinds[1]:
                yield f"{name} is {kinds[0]}, expected {kinds[1]}"
            elif not torch.isfinite(found[name]).all():
                yield f"{name} has numbers that are not finite"
        learned, stated = count_parameters(model), read_json(outs / "metrics.json")["parameters"]
        if learned != stated:
            yield f"has {learned} parameters, metrics.json {stated}"

    def confusion(self, outs: Outs) -> Iterator[str]:
        """The confusion matrix has counts, and its diagonal gives the accuracy."""
        classes, counts = read_confusion(outs / "confusion.csv")
        stated = read_json(outs / "metrics.json")["test_accuracy"]
        if counts.shape != (len(classes), len(classes)) or counts.min() < 0:
            expected = f"counts of {len(classes)} classes"
            yield f"is {counts.shape}, from {counts.min()}; expected {expected}"
        elif counts.trace() / counts.sum() != stated:
            yield f"has {counts.trace() / counts.sum()} on its diagonal, metrics.json {stated}"

    def tested(self, outs: Outs) -> Iterator[str]:
        """Each row of the confusion matrix has as many images as its class."""
        _, counts = read_confusion(outs / "confusion.csv")
        found = counts.sum(axis=1).tolist()
        images = list(read_json(outs.root / self.summary)["test"]["counts"].values())
        if found != images:
            yield f"has {found} test images per class, {self.summary} {images}"


def training(contract: TrainingContract) -> tuple[Contract, ...]:
    """Every training stage."""
    return (
        Contract("metrics.json", contract.metrics),
        Contract("curves.csv", contract.curve, ("metrics.json",)),
        Contract("curves.csv", contract.updates, inputs=(contract.summary,)),
        Contract("seeds.csv", contract.seeds, ("curves.csv",)),
        Contract("weights.safetensors", contract.weights, ("metrics.json", "confusion.csv")),
        Contract("confusion.csv", contract.confusion, ("metrics.json",)),
        Contract("confusion.csv", contract.tested, inputs=(contract.summary,)),
    )


def update_rule(contract: TrainingContract) -> tuple[Contract, ...]:
    """The stages of lecture 24: also the loss of each update, and which answers are correct."""

    def losses(outs: Outs) -> Iterator[str]:
        found = read_npy(outs / "update_losses.npy")
        expected = (read_json(outs / "metrics.json")["updates"],)
        if found.dtype != np.float32 or found.shape != expected:
            yield f"{found.dtype} {found.shape}, expected float32 {expected}"
        elif not np.isfinite(found).all():
            yield "has losses that are not finite"

    def answers(outs: Outs) -> Iterator[str]:
        found = read_npy(outs / "correct.npy")
        images = read_json(outs.root / contract.summary)["test"]["images"]
        stated = [float(row["test_accuracy"]) for row in read_csv(outs / "seeds.csv")]
        if found.dtype != np.bool_ or found.ndim != 3 or found.shape[2] != images:
            yield f"{found.dtype} {found.shape}, expected bool (seeds, epochs, {images})"
        elif (found.sum(axis=2) / images).flatten().tolist() != stated:
            yield "has other accuracies than seeds.csv"

    return (
        *training(contract),
        Contract("update_losses.npy", losses, ("metrics.json",)),
        Contract("correct.npy", answers, ("seeds.csv",), (contract.summary,)),
    )


def layers() -> tuple[Contract, ...]:
    """The stages with a layer table: its parameters add up to the number in metrics.json."""

    def table(outs: Outs) -> Iterator[str]:
        found = sum(int(row["parameters"]) for row in read_csv(outs / "layers.csv"))
        expected = read_json(outs / "metrics.json")["parameters"]
        if found != expected:
            yield f"has {found} parameters, metrics.json {expected}"

    return (Contract("layers.csv", table, ("metrics.json",)),)


def kernels(*names: str) -> tuple[Contract, ...]:
    """The same stages: kernels before and after training, float32 `(2, kernels, ...)`."""

    def of(name: str) -> Contract:
        def pair(outs: Outs) -> Iterator[str]:
            found = read_npy(outs / f"{name}.npy")
            if found.dtype != np.float32 or len(found) != 2:
                yield f"{found.dtype} {found.shape}, expected float32 (2, kernels, ...)"
            elif not np.isfinite(found).all():
                yield "has weights that are not finite"

        return Contract(f"{name}.npy", pair)

    return tuple(map(of, names))
