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
        trainer_with = partial(
            trainings.trainer,
            partial(MLP, trainings.classes),
            F.cross_entropy,
            epochs=settings.epochs,
            batch_size=size,
        )
        trainings.run_at_best_rate(f"SGD {size}", SGD, settings.sgd_learning_rates, trainer_with)
        trainings.run_at_best_rate(f"Adam {size}", Adam, settings.adam_learning_rates, trainer_with)
