"""Lecture 25: SGD and Adam with small batches (claim 25-3)."""

from __future__ import annotations

from functools import partial

from torch.nn import functional as F

from dlvc.exercises.trainings import Trainings
from dlvc.models.mlp.network import MLP
from dlvc.params.schema import BatchSizeExercise
from dlvc.training.optimizers import SGD, Adam


def train(settings: BatchSizeExercise, trainings: Trainings) -> None:
    """Train the MLP with both optimizers at several batch sizes.

    At each batch size, each optimizer is trained at every rate from the first seed, and at the
    best rate from the other seeds.
    """
    for size in settings.batch_sizes:
        for name, optimizer, rates in (
            ("SGD", SGD, settings.sgd_learning_rates),
            ("Adam", Adam, settings.adam_learning_rates),
        ):
            trainings.run_best(
                {
                    f"{name} {size}, rate {rate:g}": trainings.trainer(
                        partial(MLP, trainings.classes),
                        F.cross_entropy,
                        partial(optimizer, learning_rate=rate),
                        epochs=settings.epochs,
                        batch_size=size,
                    )
                    for rate in rates
                }
            )
