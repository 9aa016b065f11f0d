"""What every training stage leaves in `results/<stage>/`, written the same way by all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from dlvc.figures.confusion import draw_confusion
from dlvc.figures.curves import draw_curves
from dlvc.figures.kernels import draw_kernels
from dlvc.training.runtime import computed_with
from dlvc.training.state import Epoch
from dlvc.training.summary import count_parameters, layer_table
from dlvc.training.trainer import Trained
from dvcview.files import artifacts


def curve_rows(curve: Sequence[Epoch], *, lecture_scale: bool) -> list[dict[str, Any]]:
    """The rows of curves.csv, one an epoch.

    With `lecture_scale` a column `train_loss_lecture_scale` stands beside `train_loss`: the sum of
    the batches' mean losses over the number of samples, which is what the notebooks of lectures 5,
    29 and 40 print. It is smaller than the mean by about the batch size.
    """
    rows: list[dict[str, Any]] = []
    for record in curve:
        row: dict[str, Any] = {
            "epoch": record.epoch,
            "updates": record.updates,
            "train_loss": record.train_loss,
            "train_accuracy": record.train_accuracy,
            "test_loss": record.test.loss,
            "test_accuracy": record.test.accuracy,
        }
        if lecture_scale:
            row["train_loss_lecture_scale"] = record.train_loss_lecture_scale
        rows.append(row)
    return rows


def save_training(
    folder: Path,
    trained: Sequence[Trained[Any]],
    summary: Mapping[str, Any],
    *,
    title: str,
    lecture_scale: bool = False,
) -> None:
    """Write metrics.json, curves.csv, weights.safetensors, and the curves and confusion matrix.

    All of them are of the first seed. seeds.csv has the curves of all, with the seed in front.

    `summary` is the summary.json of the images: metrics.json says what they are, and what the last
    digits of its numbers depend on.
    """
    model, curve = trained[0].model, trained[0].curve
    rows = curve_rows(curve, lecture_scale=lecture_scale)
    seeds = [
        {"seed": one.seed, **row}
        for one in trained
        for row in curve_rows(one.curve, lecture_scale=lecture_scale)
    ]
    artifacts.write_csv(folder / "seeds.csv", seeds)
    artifacts.write_csv(folder / "curves.csv", rows)
    artifacts.write_json(
        folder / "metrics.json",
        {
            **rows[-1],
            "parameters": count_parameters(model),
            "data": describe(summary),
            "computed": computed_with(next(model.parameters()).device),
        },
    )
    artifacts.write_weights(folder / "weights.safetensors", model.state_dict())

    epochs = [record.epoch for record in curve]
    for quantity, label in (("loss", "mean loss per sample"), ("accuracy", "share that is right")):
        series = {part: [row[f"{part}_{quantity}"] for row in rows] for part in ("train", "test")}
        figure = draw_curves(epochs, series, ylabel=label, title=title)
        artifacts.write_figure(folder / f"{quantity}.png", figure)

    classes = summary["classes"]
    matrix = curve[-1].test.confusion
    artifacts.write_csv(folder / "confusion.csv", _confusion_rows(matrix, classes))
    figure = draw_confusion(matrix, classes, title=f"{title}: test images")
    artifacts.write_figure(folder / "confusion.png", figure)


def describe(summary: Mapping[str, Any]) -> str:
    """The images' name, and what they stand in for.

    >>> describe({"name": "UCI digits", "stand_in_for": "MNIST"})
    'UCI digits, a stand-in for MNIST'
    """
    original = summary["stand_in_for"]
    return f"{summary['name']}, a stand-in for {original}" if original else str(summary["name"])


def save_layers(folder: Path, model: nn.Module, example: Tensor) -> None:
    """Write layers.csv: name, type, output shape and parameters of each layer, in their order."""
    artifacts.write_csv(folder / "layers.csv", [vars(row) for row in layer_table(model, example)])


def save_kernels(folder: Path, before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> None:
    """Write <name>.npy, float32 `(2, kernels, ...)`, before and after, and <name>.png."""
    for name, old in before.items():
        pair = np.stack([kernels.detach().cpu().numpy() for kernels in (old, after[name])])
        artifacts.write_npy(folder / f"{name}.npy", pair)
        artifacts.write_figure(folder / f"{name}.png", draw_kernels(pair[0], pair[1], name))


def _confusion_rows(matrix: NDArray[np.int64], classes: Sequence[str]) -> list[Mapping[str, Any]]:
    return [
        {"true": name, **dict(zip(classes, counts, strict=True))}
        for name, counts in zip(classes, matrix.tolist(), strict=True)
    ]
