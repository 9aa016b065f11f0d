"""Lecture 29: LeNet trained with Adam and with SGD, each at the best of several rates (29-5)."""

from __future__ import annotations

from functools import partial

from torch.nn import functional as F

from dlvc.exercises.trainings import Trainings
from dlvc.models.lenet import LeNet
from dlvc.params.schema import LeNetSGDExercise
from dlvc.training.optimizers import SGD, Adam


def train(settings: LeNetSGDExercise, trainings: Trainings) -> None:
    """Train at every rate from the first seed, and at the best rate from the other seeds."""
    trainer_with = partial(
        trainings.trainer,
        partial(LeNet, trainings.classes),
        F.nll_loss,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
    )
    trainings.run_at_best_rate("Adam", Adam, settings.adam_learning_rates, trainer_with)
    trainings.run_at_best_rate("SGD", SGD, settings.sgd_learning_rates, trainer_with)
