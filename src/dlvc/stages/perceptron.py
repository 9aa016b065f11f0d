"""Lecture 5: a perceptron on texture features, one update per epoch. Writes results/perceptron/."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from dlvc.models.perceptron import Perceptron, one_hot_mse
from dlvc.params.reader import read_params
from dlvc.training.load import load_features
from dlvc.training.optimizers import SGD
from dlvc.training.results import save_training
from dlvc.training.runtime import prepare_runtime
from dlvc.training.trainer import Trainer, seeds_from
from dvcview.files.artifacts import read_json
from dvcview.tracking import stage_run

FEATURES = Path("data/features")
RESULTS = Path("results/perceptron")


def main() -> None:
    """Read parameters, load, train, save."""
    params = read_params()
    settings = params.perceptron
    runtime = prepare_runtime(params.runtime)

    summary = read_json(FEATURES / "summary.json")
    classes = len(summary["classes"])
    train, test = load_features(FEATURES, runtime.device)
    trainer = Trainer(
        partial(Perceptron, train.images.shape[1], classes),
        one_hot_mse,
        partial(SGD, learning_rate=settings.learning_rate),
        train,
        test,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        runtime=runtime,
        accumulate=True,
    )
    logged = params.select("runtime", "perceptron")
    with stage_run("perceptron", RESULTS, logged, device=runtime.device) as run:
        trained = trainer.fit_seeds(
            seeds_from(settings.seed, settings.seeds), "perceptron", logged, run.log_metrics
        )
        save_training(RESULTS, trained, summary, lecture_scale=True)
