"""Lecture 25: SGD and Adam with small batches (claim 25-3)."""

from __future__ import annotations

from functools import partial

from torch.nn import functional as F

from dlvc.exercises.trainings import Trainings
from dlvc.models.mlp.network import MLP
from dlvc.params.schema import BatchSizeExercise
from dlvc.training.optimizers import SGD, Adam


def train(settings: BatchSizeExercise, trainings: Trainings) -> None:
    """Train the MLP with both optimizers at several batch sizes, and with SGD at its own rate."""
    rate, own_rate = settings.learning_rate, settings.sgd_learning_rate
    for size in settings.batch_sizes:
        for name, optimizer_fn in (
            (f"SGD {size}", partial(SGD, learning_rate=rate)),
            (f"Adam {size}", partial(Adam, learning_rate=rate)),
            (f"SGD {size}, own rate", partial(SGD, learning_rate=own_rate)),
        ):
            trainer = trainings.trainer(
                partial(MLP, trainings.classes),
                F.cross_entropy,
                optimizer_fn,
                epochs=settings.epochs,
                batch_size=size,
            )
            trainings.run(name, trainer)
