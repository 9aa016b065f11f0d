"""Lecture 24: updates per epoch and per batch, the same number of each (claim 24-4)."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from torch.nn import functional as F

from dlvc.exercises.trainings import Trainings
from dlvc.models.mlp.network import MLP
from dlvc.params.schema import TrainingExercise
from dlvc.training.optimizers import SGD

LARGEST_BATCH = 10_000  # limits the memory of updates per epoch


def train(settings: TrainingExercise, trainings: Trainings) -> None:
    """Train the MLP for many epochs of one update, and per batch for as many updates.

    An epoch of one update is computed in batches of up to `LARGEST_BATCH` images. The gradient is
    the same, and large batches are faster.
    """
    updates = math.ceil(len(trainings.train) / settings.batch_size)  # per epoch, in batches
    trainer = trainings.trainer(
        partial(MLP, trainings.classes),
        F.cross_entropy,
        partial(SGD, learning_rate=settings.learning_rate),
        epochs=math.ceil(settings.epochs / updates),
        batch_size=settings.batch_size,
    )
    trainings.run("per batch", trainer)
    whole = min(len(trainings.train), LARGEST_BATCH)
    per_epoch = replace(trainer, epochs=settings.epochs, batch_size=whole, accumulate=True)
    trainings.run("per epoch", per_epoch)
