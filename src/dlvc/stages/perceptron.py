"""Lecture 5: a perceptron on texture features, one update an epoch. Leaves results/perceptron/."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from dlvc.artifacts import read_json, read_pickle
from dlvc.learning.checkpoints import Checkpoint
from dlvc.learning.loop import fit
from dlvc.learning.optimizers import GradientDescent
from dlvc.learning.progress import follow
from dlvc.learning.runtime import prepare_runtime
from dlvc.learning.samples import Samples
from dlvc.models.initialise import initialise
from dlvc.models.perceptron import Perceptron, one_hot_mse
from dlvc.params import read_params
from dlvc.results import save_training
from dlvc.tracking import stage_run

FEATURES = Path("data/features")
RESULTS = Path("results/perceptron")


def main() -> None:
    """Parse, load, train, save."""
    params = read_params()
    settings = params.perceptron
    runtime = prepare_runtime(params.runtime)

    summary = read_json(FEATURES / "summary.json")
    features = [read_pickle(FEATURES / f"{part}Feats.pkl") for part in ("train", "test")]
    labels = [read_pickle(FEATURES / f"{part}Label.pkl") for part in ("train", "test")]
    train, test = (
        Samples.of(x.astype(np.float32), y, runtime.device)
        for x, y in zip(features, labels, strict=True)
    )

    n_features = train.images.shape[1]
    model = runtime.prepare(initialise(lambda: Perceptron(n_features), settings.seed))
    logged = params.select("runtime", "perceptron")
    with (
        stage_run("perceptron", RESULTS, logged, device=runtime.device) as run,
        Checkpoint("perceptron", logged) as checkpoint,
    ):
        epochs = fit(
            model,
            one_hot_mse,
            GradientDescent(model.parameters(), settings.learning_rate),
            train,
            test,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            generator=torch.Generator().manual_seed(settings.seed),
            accumulate=True,
            checkpoint=checkpoint,
        )
        curve = follow(epochs, run.log_epoch)

        save_training(RESULTS, model, curve, summary, title="Perceptron", lecture_scale=True)
