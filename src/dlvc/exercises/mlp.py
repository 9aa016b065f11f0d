"""The exercises of lectures 24 and 25: the MLP under other rules, rates, batches and epochs."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from torch.nn import functional as F

from dlvc.exercises.trainings import Trainings
from dlvc.models.mlp.network import MLP
from dlvc.models.mlp.per_sample import train_one_epoch as train_image_by_image
from dlvc.params.schema import (
    BatchSizeExercise,
    MomentumExercise,
    PerSampleExercise,
    SGDExercise,
    TrainingExercise,
)
from dlvc.training.optimizers import Adam, GradientDescent, Momentum


def train_per_epoch(settings: TrainingExercise, trainings: Trainings) -> None:
    """Many epochs of one update each, and per batch as many updates in all (claim 24-4)."""
    updates = math.ceil(len(trainings.train) / settings.batch_size)  # of the per-batch rule
    training = trainings.training(
        MLP,
        F.cross_entropy,
        partial(GradientDescent, learning_rate=settings.learning_rate),
        epochs=math.ceil(settings.epochs / updates),
        batch_size=settings.batch_size,
    )
    trainings.run("per batch", training)
    trainings.run("per epoch", replace(training, epochs=settings.epochs, accumulate=True))


def train_per_sample(settings: PerSampleExercise, trainings: Trainings) -> None:
    """Updates image by image at several rates (claim 24-8)."""
    for rate in settings.learning_rates:
        rule = partial(GradientDescent, learning_rate=rate)
        training = trainings.training(
            MLP, F.cross_entropy, rule, epochs=settings.epochs, batch_size=1
        )
        trainings.run(f"rate {rate:g}", replace(training, one_epoch=train_image_by_image))


def train_batch_sizes(settings: BatchSizeExercise, trainings: Trainings) -> None:
    """SGD and Adam at several batch sizes, and SGD also at its own rate (claim 25-3)."""
    rate, own = settings.learning_rate, settings.sgd_learning_rate
    for size in settings.batch_sizes:
        for name, rule in (
            (f"SGD {size}", partial(GradientDescent, learning_rate=rate)),
            (f"Adam {size}", partial(Adam, learning_rate=rate)),
            (f"SGD {size}, own rate", partial(GradientDescent, learning_rate=own)),
        ):
            training = trainings.training(
                MLP, F.cross_entropy, rule, epochs=settings.epochs, batch_size=size
            )
            trainings.run(name, training)


def train_sgd(settings: SGDExercise, trainings: Trainings) -> None:
    """Few epochs of Adam, and many of SGD (claim 25-2)."""
    for name, optimizer, epochs in (
        ("Adam", Adam, settings.adam_epochs),
        ("SGD", GradientDescent, settings.epochs),
    ):
        rule = partial(optimizer, learning_rate=settings.learning_rate)
        training = trainings.training(
            MLP, F.cross_entropy, rule, epochs=epochs, batch_size=settings.batch_size
        )
        trainings.run(name, training)


def train_momentum(settings: MomentumExercise, trainings: Trainings) -> None:
    """SGD, with momentum, and at a rate as much larger as momentum lengthens steps (claim 25-4).

    A constant gradient g moves w by η g / (1 - μ) a step: for μ = 0.9, ten times as far.
    """
    rate, momentum = settings.learning_rate, settings.momentum
    for name, rule in (
        ("SGD", partial(GradientDescent, learning_rate=rate)),
        ("momentum", partial(Momentum, learning_rate=rate, momentum=momentum)),
        ("larger rate", partial(GradientDescent, learning_rate=rate / (1 - momentum))),
    ):
        training = trainings.training(
            MLP, F.cross_entropy, rule, epochs=settings.epochs, batch_size=settings.batch_size
        )
        trainings.run(name, training)
