"""Lecture 5: more epochs of the perceptron, and other learning rates (claims 05-3, 05-4)."""

from __future__ import annotations

from functools import partial

from dlvc.exercises.trainings import Trainings
from dlvc.models.perceptron import Perceptron, one_hot_mse
from dlvc.params.schema import PerceptronExercise
from dlvc.training.optimizers import SGD


def train(settings: PerceptronExercise, trainings: Trainings) -> None:
    """Train the perceptron with one update per epoch at each rate."""
    features = trainings.train.images.shape[1]
    for rate in settings.learning_rates:
        trainer = trainings.trainer(
            partial(Perceptron, features, trainings.classes),
            one_hot_mse,
            partial(SGD, learning_rate=rate),
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            accumulate=True,
        )
        trainings.run(f"rate {rate:g}", trainer)
