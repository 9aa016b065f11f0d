"""Lecture 24: an MLP, updated per epoch, batch or sample. Leaves results/update_rules/<rule>/."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.nn import functional as F

from dlvc.figures.curves import draw_updates
from dlvc.models.mlp.network import MLP
from dlvc.models.mlp.per_sample import train_one_epoch as train_image_by_image
from dlvc.params.reader import read_params
from dlvc.training.load import load_images
from dlvc.training.loop import train_one_epoch
from dlvc.training.optimizers import GradientDescent
from dlvc.training.results import save_training
from dlvc.training.runtime import prepare_runtime
from dlvc.training.state import Epoch
from dlvc.training.trainer import Training
from dvcview.files.artifacts import read_json, write_figure, write_npy
from dvcview.tracking import stage_run

DIGITS = Path("data/digits")
RESULTS = Path("results/update_rules")
VARIANTS = ("per_epoch", "per_batch", "per_sample")


def losses_by_update(curve: Sequence[Epoch], accumulate: bool) -> NDArray[np.float32]:
    """The loss that each update was made from, float32 `(updates,)`."""
    if accumulate:
        return np.array([epoch.train_loss for epoch in curve], dtype=np.float32)
    return np.concatenate([epoch.batch_losses for epoch in curve])


def main(rule: str) -> None:
    """Parse, load, train, save."""
    params = read_params()
    settings = getattr(params.update_rules, rule)
    accumulate = rule == "per_epoch"  # the other two are the same rule at another batch size
    one_by_one = rule == "per_sample"
    runtime = prepare_runtime(params.runtime)
    if one_by_one:
        runtime = runtime.one_by_one()

    summary = read_json(DIGITS / "summary.json")
    train, test = load_images(DIGITS, runtime.device)
    training = Training(
        MLP,
        F.cross_entropy,
        partial(GradientDescent, learning_rate=settings.learning_rate),
        train,
        test,
        epochs=settings.epochs,
        batch_size=1 if one_by_one else settings.batch_size,
        runtime=runtime,
        shuffle=settings.shuffle if one_by_one else True,
        accumulate=accumulate,
        one_epoch=train_image_by_image if one_by_one else train_one_epoch,
    )
    folder = RESULTS / rule
    logged = params.select("runtime", "update_rules.seed", f"update_rules.{rule}")
    stage = f"update_rules@{rule}"
    with stage_run(stage, folder, logged, device=runtime.device) as run:
        first = params.update_rules.seed
        seeds = range(first, first + settings.seeds)
        trained = training.from_seeds(seeds, stage, logged, run.log_epoch)
        title = f"MLP, one update {rule.replace('_', ' ')}"
        save_training(folder, trained, summary, title=title)
        losses = losses_by_update(trained[0].curve, accumulate)
        write_npy(folder / "update_losses.npy", losses)
        write_figure(folder / "update_losses.png", draw_updates(losses, title=title))
