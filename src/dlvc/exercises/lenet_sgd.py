"""Lecture 29: LeNet trained with Adam and with SGD, each at the best of several rates (29-5)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from torch.nn import functional as F

from dlvc.exercises.trainings import Trainings
from dlvc.models.lenet import LeNet
from dlvc.params.schema import LeNetSGDExercise
from dlvc.training.optimizers import SGD, Adam


def train(settings: LeNetSGDExercise, trainings: Trainings) -> None:
    """Train at every rate from the first seed, and at the best rate from the other seeds.

    The best rate of an optimizer is the one with the highest test accuracy of the first seed after
    the last epoch. Both parts write into the rows of `trainings`.
    """
    first = replace(trainings, seeds=trainings.seeds[:1])
    others = replace(trainings, seeds=trainings.seeds[1:])
    for name, optimizer, rates in (
        ("Adam", Adam, settings.adam_learning_rates),
        ("SGD", SGD, settings.sgd_learning_rates),
    ):
        trainers = {
            f"{name} {rate:g}": trainings.trainer(
                partial(LeNet, trainings.classes),
                F.nll_loss,
                partial(optimizer, learning_rate=rate),
                epochs=settings.epochs,
                batch_size=settings.batch_size,
            )
            for rate in rates
        }
        reached = {}
        for title, trainer in trainers.items():
            (trained,) = first.run(title, trainer)
            if len(trained.curve) == settings.epochs:  # it did not diverge
                reached[title] = trained.curve[-1].test.accuracy
        if reached:
            best = max(reached, key=reached.__getitem__)
            others.run(best, trainers[best])
