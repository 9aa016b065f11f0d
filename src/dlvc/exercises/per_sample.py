"""Lecture 24: updates per sample at several learning rates (claim 24-8)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from torch.nn import functional as F

from dlvc.exercises.trainings import Trainings
from dlvc.models.mlp.network import MLP
from dlvc.models.mlp.per_sample import train_one_epoch
from dlvc.params.schema import PerSampleExercise
from dlvc.training.optimizers import SGD


def train(settings: PerSampleExercise, trainings: Trainings) -> None:
    """Train the MLP with one update per image at each rate.

    As in lecture 24c, every epoch uses the images in the order of their file.
    """
    for rate in settings.learning_rates:
        optimizer_fn = partial(SGD, learning_rate=rate)
        trainer = trainings.trainer(
            partial(MLP, trainings.classes),
            F.cross_entropy,
            optimizer_fn,
            epochs=settings.epochs,
            batch_size=1,
        )
        trainings.run(f"rate {rate:g}", replace(trainer, shuffle=False, one_epoch=train_one_epoch))
