"""Lecture 24: an MLP, updated per epoch, batch or sample. Writes results/update_rules/<rule>/."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.nn import functional as F

from dlvc.arrays.array_files import write_npy
from dlvc.models.mlp import per_sample
from dlvc.models.mlp.network import MLP
from dlvc.params.reader import read_params
from dlvc.training.load import load_images
from dlvc.training.loop import train_one_epoch
from dlvc.training.metrics import EpochResult
from dlvc.training.optimizers import SGD
from dlvc.training.results import save_training
from dlvc.training.runtime import prepare_runtime
from dlvc.training.trainer import Trained, Trainer, seeds_from
from dvcview.files.artifacts import read_json
from dvcview.tracking import stage_run

DIGITS = Path("data/digits")
RESULTS = Path("results/update_rules")
VARIANTS = ("per_epoch", "per_batch", "per_sample")


def losses_by_update(curve: Sequence[EpochResult], accumulate: bool) -> NDArray[np.float32]:
    """The loss that each update was computed from, float32 `(updates,)`."""
    if accumulate:
        return np.array([epoch.train_loss for epoch in curve], dtype=np.float32)
    return np.concatenate([epoch.batch_losses for epoch in curve])


def correct_answers(trained: Sequence[Trained[MLP]]) -> NDArray[np.bool_]:
    """Whether each test image was classified correctly after each epoch, `(seeds, epochs, N)`."""
    return np.array([[epoch.test.correct for epoch in one.curve] for one in trained])


def main(rule: str) -> None:
    """Read parameters, load, train, save."""
    params = read_params()
    settings = getattr(params.update_rules, rule)
    accumulate = rule == "per_epoch"  # the other two rules differ only in the batch size
    single_samples = rule == "per_sample"
    runtime = prepare_runtime(params.runtime)
    if single_samples:
        runtime = runtime.for_single_samples()

    summary = read_json(DIGITS / "summary.json")
    classes = len(summary["classes"])
    train, test = load_images(DIGITS, runtime.device)
    trainer = Trainer(
        partial(MLP, classes),
        F.cross_entropy,
        partial(SGD, learning_rate=settings.learning_rate),
        train,
        test,
        epochs=settings.epochs,
        batch_size=1 if single_samples else settings.batch_size,
        runtime=runtime,
        shuffle=settings.shuffle if single_samples else True,
        accumulate=accumulate,
        one_epoch=per_sample.train_one_epoch if single_samples else train_one_epoch,
    )
    stage, folder = f"update_rules@{rule}", RESULTS / rule
    logged = params.select("runtime", "update_rules.seed", f"update_rules.{rule}")
    seeds = seeds_from(params.update_rules.seed, settings.seeds)
    with stage_run(stage, folder, logged, device=runtime.device) as run:
        trained = trainer.fit_seeds(seeds, stage, logged, run.log_metrics)
        save_training(folder, trained, summary)
        write_npy(folder / "update_losses.npy", losses_by_update(trained[0].curve, accumulate))
        write_npy(folder / "correct.npy", correct_answers(trained))
