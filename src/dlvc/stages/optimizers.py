"""Lecture 25: one MLP, trained by SGD, momentum or Adam. Leaves results/optimizers/<optimizer>/."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from torch.nn import functional as F

from dlvc.models.mlp.network import MLP
from dlvc.params.reader import flatten, read_params
from dlvc.training.load import load_images
from dlvc.training.optimizers import Adam, GradientDescent, Momentum, Optimizer
from dlvc.training.results import save_training
from dlvc.training.runtime import prepare_runtime
from dlvc.training.trainer import Training
from dvcview.files.artifacts import read_json
from dvcview.tracking import stage_run

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
    runtime = prepare_runtime(params.runtime)

    summary = read_json(DIGITS / "summary.json")
    train, test = load_images(DIGITS, runtime.device)
    training = Training(  # the same seeds for all three: the same start, the same order of batches
        MLP,
        F.cross_entropy,
        partial(OPTIMIZERS[name], **flatten(getattr(shared, name).model_dump())),
        train,
        test,
        epochs=shared.epochs,
        batch_size=shared.batch_size,
        runtime=runtime,
    )
    folder = RESULTS / name
    own = (f"optimizers.{key}" for key in ("seed", "seeds", "epochs", "batch_size", name))
    logged = params.select("runtime", *own)
    stage = f"optimizers@{name}"
    with stage_run(stage, folder, logged, device=runtime.device) as run:
        trained = training.from_seeds(shared.all_seeds, stage, logged, run.log_epoch)
        save_training(folder, trained, summary, title=f"MLP by {name}")
