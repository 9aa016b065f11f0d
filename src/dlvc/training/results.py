"""The files that every training stage writes to `results/<stage>/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from dlvc.arrays.array_files import write_npy
from dlvc.arrays.dataset import describe
from dlvc.training.metrics import EpochResult
from dlvc.training.runtime import computed_with
from dlvc.training.summary import count_parameters, summarize
from dlvc.training.trainer import Trained
from dlvc.training.weights import write_weights
from dvcview.files.artifacts import write_csv, write_json

# The first column of confusion.csv. No class has this name, because no folder's name has a slash.
TRUE_CLASS = "true/predicted"


def curve_rows(curve: Sequence[EpochResult], *, lecture_scale: bool) -> list[dict[str, Any]]:
    """The rows of curves.csv, one per epoch.

    With `lecture_scale` there is a column `train_loss_lecture_scale`: the sum of the batches' mean
    losses over the number of samples, which the notebooks of lectures 5, 29 and 40 print. It is
    about the mean loss divided by the batch size.
    """
    rows: list[dict[str, Any]] = []
    for result in curve:
        row: dict[str, Any] = {"epoch": result.epoch, **result.metrics}
        if lecture_scale:
            row["train_loss_lecture_scale"] = result.train_loss_lecture_scale
        rows.append(row)
    return rows


def save_training(
    folder: Path,
    trained: Sequence[Trained[Any]],
    summary: Mapping[str, Any],
    *,
    lecture_scale: bool = False,
) -> None:
    """Write metrics.json, curves.csv, seeds.csv, weights.safetensors and confusion.csv.

    seeds.csv has the curves of all seeds; the other files are about the first seed. `summary` is
    the summary.json of the images. metrics.json names the images, and says what the last digits of
    its numbers depend on.
    """
    model, curve = trained[0].model, trained[0].curve
    rows = curve_rows(curve, lecture_scale=lecture_scale)
    seeds = [
        {"seed": one.seed, **row}
        for one in trained
        for row in curve_rows(one.curve, lecture_scale=lecture_scale)
    ]
    write_csv(folder / "seeds.csv", seeds)
    write_csv(folder / "curves.csv", rows)
    write_json(
        folder / "metrics.json",
        {
            **rows[-1],
            "parameters": count_parameters(model),
            "data": describe(summary),
            "computed": computed_with(next(model.parameters()).device),
        },
    )
    write_weights(folder / "weights.safetensors", model.state_dict())
    matrix = curve[-1].test.confusion
    write_csv(folder / "confusion.csv", _confusion_rows(matrix, summary["classes"]))


def save_layers(folder: Path, model: nn.Module, example: Tensor) -> None:
    """Write layers.csv: name, type, output shape and parameters of each layer, in their order."""
    write_csv(folder / "layers.csv", [vars(row) for row in summarize(model, example)])


def save_kernels(folder: Path, before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> None:
    """Write <name>.npy, float32 `(2, kernels, ...)`: the kernels before and after training."""
    for name, old in before.items():
        pair = np.stack([kernels.detach().cpu().numpy() for kernels in (old, after[name])])
        write_npy(folder / f"{name}.npy", pair)


def _confusion_rows(matrix: NDArray[np.int64], classes: Sequence[str]) -> list[Mapping[str, Any]]:
    return [
        {TRUE_CLASS: name, **dict(zip(classes, counts, strict=True))}
        for name, counts in zip(classes, matrix.tolist(), strict=True)
    ]
