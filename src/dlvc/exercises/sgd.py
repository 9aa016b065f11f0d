"""Lecture 25: how many epochs SGD needs to reach Adam's accuracy (claim 25-2)."""

from __future__ import annotations

from functools import partial

from torch.nn import functional as F

from dlvc.exercises.trainings import Trainings
from dlvc.models.mlp.network import MLP
from dlvc.params.schema import SGDExercise
from dlvc.training.optimizers import SGD, Adam


def train(settings: SGDExercise, trainings: Trainings) -> None:
    """Train the MLP with Adam for a few epochs, and with SGD for many."""
    for name, optimizer, epochs in (
        ("Adam", Adam, settings.adam_epochs),
        ("SGD", SGD, settings.epochs),
    ):
        optimizer_fn = partial(optimizer, learning_rate=settings.learning_rate)
        trainer = trainings.trainer(
            partial(MLP, trainings.classes),
            F.cross_entropy,
            optimizer_fn,
            epochs=epochs,
            batch_size=settings.batch_size,
        )
        trainings.run(name, trainer)
