"""Lecture 25: whether momentum does more than a larger learning rate (claim 25-4)."""

from __future__ import annotations

from functools import partial

from torch.nn import functional as F

from dlvc.exercises.trainings import Trainings
from dlvc.models.mlp.network import MLP
from dlvc.params.schema import MomentumExercise
from dlvc.training.optimizers import SGD


def train(settings: MomentumExercise, trainings: Trainings) -> None:
    """Train the MLP with SGD, with momentum, and with a rate that makes equally long steps.

    A constant gradient g moves w by η g / (1 - μ) per step: ten times as far for μ = 0.9.
    """
    rate, momentum = settings.learning_rate, settings.momentum
    for name, optimizer_fn in (
        ("SGD", partial(SGD, learning_rate=rate)),
        ("momentum", partial(SGD, learning_rate=rate, momentum=momentum)),
        ("larger rate", partial(SGD, learning_rate=rate / (1 - momentum))),
    ):
        trainer = trainings.trainer(
            partial(MLP, trainings.classes),
            F.cross_entropy,
            optimizer_fn,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
        )
        trainings.run(name, trainer)
