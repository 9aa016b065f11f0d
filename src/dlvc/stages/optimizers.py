"""Lecture 25: one MLP, trained by SGD, momentum or Adam. Leaves results/optimizers/<optimizer>/."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional as F

from dlvc.artifacts import read_json
from dlvc.data.dataset import open_dataset
from dlvc.learning.checkpoints import Checkpoint
from dlvc.learning.loop import fit
from dlvc.learning.optimizers import Adam, GradientDescent, Momentum, Optimizer
from dlvc.learning.progress import follow
from dlvc.learning.runtime import prepare_runtime
from dlvc.learning.samples import Samples
from dlvc.models.initialise import initialise
from dlvc.models.mlp import MLP
from dlvc.params import flatten, read_params
from dlvc.results import save_training
from dlvc.tracking import stage_run

DIGITS = Path("data/digits")
RESULTS = Path("results/optimizers")
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": GradientDescent,
    "momentum": Momentum,
    "adam": Adam,
}


VARIANTS = tuple(OPTIMIZERS)


def main(name: str) -> None:
    """Parse, load, train, save."""
    params = read_params()
    shared = params.optimizers
    settings = flatten(getattr(shared, name).model_dump())
    runtime = prepare_runtime(params.runtime)

    digits, summary = open_dataset(DIGITS), read_json(DIGITS / "summary.json")
    train = Samples.of(digits.train_images, digits.train_labels, runtime.device)
    test = Samples.of(digits.test_images, digits.test_labels, runtime.device)

    # The same seed for all three: the same initial weights, the same order of batches.
    model = runtime.prepare(initialise(MLP, shared.seed))
    folder = RESULTS / name
    own = (f"optimizers.{key}" for key in ("seed", "epochs", "batch_size", name))
    logged = params.select("runtime", *own)
    stage = f"optimizers@{name}"
    with (
        stage_run(stage, folder, logged, device=runtime.device) as run,
        Checkpoint(stage, logged) as checkpoint,
    ):
        epochs = fit(
            model,
            F.cross_entropy,
            OPTIMIZERS[name](model.parameters(), **settings),
            train,
            test,
            epochs=shared.epochs,
            batch_size=shared.batch_size,
            generator=torch.Generator().manual_seed(shared.seed),
            checkpoint=checkpoint,
        )
        curve = follow(epochs, run.log_epoch)

        save_training(folder, model, curve, summary, title=f"MLP by {name}")
