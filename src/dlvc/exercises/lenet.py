"""Lecture 29: a hundred epochs of LeNet, and how its first kernels change (claim 29-3)."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch.nn import functional as F

from dlvc.exercises.trainings import Trainings
from dlvc.models.lenet import LeNet
from dlvc.params.schema import TrainingExercise
from dlvc.training.optimizers import Adam


def train(settings: TrainingExercise, trainings: Trainings) -> None:
    """Train LeNet; the array `conv1` `(seeds, 2, 6, 5, 5)` has its kernels before and after."""
    trainer = trainings.trainer(
        partial(LeNet, trainings.classes),
        F.nll_loss,
        partial(Adam, learning_rate=settings.learning_rate),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
    )
    kernels = [
        np.stack([conv1(trainer.init_model(trained.seed)), conv1(trained.model)])
        for trained in trainings.run("LeNet", trainer)
    ]
    trainings.arrays["conv1"] = np.stack(kernels)


def conv1(model: LeNet) -> NDArray[np.float32]:
    """The first layer's kernels `(6, 5, 5)`."""
    kernels: NDArray[np.float32] = model.conv1.weight[:, 0].detach().cpu().numpy()
    return kernels
