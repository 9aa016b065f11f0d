"""Lecture 40: a residual network, trained as DenseNet is (claim 40-2)."""

from __future__ import annotations

from functools import partial

from torch.nn import functional as F

from dlvc.exercises.trainings import Trainings
from dlvc.models.resnet import ResNet18
from dlvc.params.schema import ResNetExercise
from dlvc.training.optimizers import Adam


def train(settings: ResNetExercise, trainings: Trainings) -> None:
    """Train ResNet-18 on photographs."""
    trainer = trainings.trainer(
        partial(ResNet18, settings.image_size, trainings.classes),
        F.nll_loss,
        partial(Adam, learning_rate=settings.learning_rate),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
    )
    trainings.run("ResNet-18", trainer)
