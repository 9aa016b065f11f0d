"""Lecture 5's exercise: more epochs, and other rates (claims 05-3, 05-4)."""

from __future__ import annotations

from functools import partial

from dlvc.exercises.trainings import Trainings
from dlvc.models.perceptron import Perceptron, one_hot_mse
from dlvc.params.schema import PerceptronExercise
from dlvc.training.optimizers import GradientDescent


def train_at_rates(settings: PerceptronExercise, trainings: Trainings) -> None:
    """One training for each rate, one update an epoch."""
    features = trainings.train.images.shape[1]
    for rate in settings.learning_rates:
        training = trainings.training(
            partial(Perceptron, features),
            one_hot_mse,
            partial(GradientDescent, learning_rate=rate),
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            accumulate=True,
        )
        trainings.run(f"rate {rate:g}", training)
