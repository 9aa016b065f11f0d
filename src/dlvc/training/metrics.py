"""The metrics of an epoch: what is measured, and under which names it is written and logged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dlvc.training.samples import EpochState, Samples


@dataclass(frozen=True)
class Evaluation:
    """Mean loss, accuracy and confusion matrix over some samples, and which answers are correct.

    `confusion` int64 `(C, C)`: see `confusion_matrix`. `correct` bool `(N,)`: whether the predicted
    class of each sample is its label, in the stored order of the samples.
    """

    loss: float
    accuracy: float
    confusion: NDArray[np.int64]
    correct: NDArray[np.bool_]

    @classmethod
    def from_state(cls, testing: EpochState, samples: Samples) -> Evaluation:
        """The results of a complete epoch over the samples in their stored order."""
        labels, predicted = samples.labels.cpu().numpy(), testing.predicted.cpu().numpy()
        return cls(
            testing.mean_loss(),
            testing.accuracy(samples.labels),
            confusion_matrix(labels, predicted, testing.classes),
            labels == predicted,
        )


@dataclass(frozen=True)
class EpochResult:
    """The result of one epoch.

    `train_loss` and `train_accuracy` are means over the training samples, each computed with the
    weights at the time of its batch, as the lectures print them. `test` is the evaluation after the
    last update of the epoch. `batch_losses` float32 `(batches,)` are the mean losses of the batches
    in their order.
    """

    epoch: int
    updates: int
    train_loss: float
    train_accuracy: float
    test: Evaluation
    batch_losses: NDArray[np.float32]
    samples: int

    def __str__(self) -> str:
        return (
            f"epoch {self.epoch}, update {self.updates}: "
            f"train loss {self.train_loss:.4f}, accuracy {self.train_accuracy:.2%}; "
            f"test loss {self.test.loss:.4f}, accuracy {self.test.accuracy:.2%}"
        )

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics by the names that MLflow shows."""
        return {
            "updates": self.updates,
            "train_loss": self.train_loss,
            "train_accuracy": self.train_accuracy,
            "test_loss": self.test.loss,
            "test_accuracy": self.test.accuracy,
        }

    @property
    def train_loss_lecture_scale(self) -> float:
        """The sum of the batches' mean losses, divided by the number of *samples*.

        The notebooks of lectures 5, 29 and 40 print this number. It is about the mean loss divided
        by the batch size.
        """
        return float(self.batch_losses.sum(dtype=np.float64)) / self.samples


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Count pairs of true and predicted class: int64 `(C, C)`, rows are true classes.

    `labels` and `predicted` are `(N,)` integers of 0 ... C - 1; others raise `ValueError`.

    >>> confusion_matrix([0, 0, 0, 1], [0, 0, 1, 1], classes=2)
    array([[2, 1],
           [0, 1]])
    """
    # Labels are often uint8, in which the product below would overflow.
    true, taken = np.asarray(labels, np.int64), np.asarray(predicted, np.int64)
    for name, values in (("labels", true), ("predicted", taken)):
        if values.size and not 0 <= values.min() <= values.max() < classes:
            raise ValueError(f"{name} of {values.min()} ... {values.max()} for {classes} classes")
    pairs = np.bincount(true * classes + taken, minlength=classes**2)
    return pairs.reshape(classes, classes)
