"""Lecture 25: one MLP, trained by SGD, momentum or Adam. Writes results/optimizers/<optimizer>/."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from torch.nn import functional as F

from dlvc.models.mlp.network import MLP
from dlvc.params.reader import read_params
from dlvc.training.load import load_images
from dlvc.training.optimizers import SGD, Adam, Optimizer
from dlvc.training.results import save_training
from dlvc.training.runtime import prepare_runtime
from dlvc.training.trainer import Trainer, seeds_from
from dvcview.files.artifacts import read_json
from dvcview.tracking import stage_run

DIGITS = Path("data/digits")
RESULTS = Path("results/optimizers")
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"sgd": SGD, "momentum": SGD, "adam": Adam}
VARIANTS = tuple(OPTIMIZERS)


def main(name: str) -> None:
    """Read parameters, load, train, save."""
    params = read_params()
    shared = params.optimizers
    runtime = prepare_runtime(params.runtime)

    summary = read_json(DIGITS / "summary.json")
    classes = len(summary["classes"])
    train, test = load_images(DIGITS, runtime.device)
    trainer = Trainer(  # the same seeds for all three: the same initial weights and batches
        partial(MLP, classes),
        F.cross_entropy,
        partial(OPTIMIZERS[name], **getattr(shared, name).model_dump()),
        train,
        test,
        epochs=shared.epochs,
        batch_size=shared.batch_size,
        runtime=runtime,
    )
    stage, folder = f"optimizers@{name}", RESULTS / name
    own = (f"optimizers.{key}" for key in ("seed", "seeds", "epochs", "batch_size", name))
    logged = params.select("runtime", *own)
    with stage_run(stage, folder, logged, device=runtime.device) as run:
        trained = trainer.fit_seeds(
            seeds_from(shared.seed, shared.seeds), stage, logged, run.log_metrics
        )
        save_training(folder, trained, summary)
