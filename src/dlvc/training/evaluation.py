"""How a model does on samples that it does not learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from dlvc.training.process_group import ALONE, World
from dlvc.training.samples import Pass, Samples

LossFunction = Callable[[Tensor, Tensor], Tensor]

EVALUATION_BATCH = 250  # only bounds the memory: nothing is updated, so no result hangs on it


@dataclass(frozen=True)
class Evaluation:
    """The mean loss over samples, the share that is right, and which class is taken for which.

    `confusion` int64 `(C, C)`: see `confusion_matrix`.
    """

    loss: float
    accuracy: float
    confusion: NDArray[np.int64]

    @classmethod
    def of(cls, testing: Pass, samples: Samples) -> Evaluation:
        """What a complete pass over the samples in their order says."""
        labels, predicted = samples.labels.cpu().numpy(), testing.predicted.cpu().numpy()
        return cls(
            testing.mean_loss(),
            testing.accuracy(samples.labels),
            confusion_matrix(labels, predicted, testing.classes),
        )


def loss_of_part(
    loss_function: LossFunction, outputs: Tensor, labels: Tensor, batch: slice
) -> Tensor:
    """What some of a batch's samples contribute to the mean loss of the batch."""
    size = batch.stop - batch.start
    if len(labels) == size:
        return loss_function(outputs, labels)
    if len(labels) == 0:
        return outputs.sum()  # 0, as its gradients are
    loss: Tensor = loss_function(outputs, labels) * (len(labels) / size)
    return loss


def in_order(samples: Samples) -> Pass:
    """A pass over samples as they stand, at its beginning."""
    return Pass.in_order(samples, EVALUATION_BATCH)


@torch.no_grad()
def evaluate_batches(
    model: nn.Module,
    loss_function: LossFunction,
    samples: Samples,
    testing: Pass,
    world: World = ALONE,
) -> Iterator[None]:
    """Pass what is left of `testing` through a model; yields after each batch."""
    model.eval()
    while not testing.is_complete:
        batch = testing.batch(testing.done)
        part = world.share_of(batch)
        numbers = testing.order[part]
        outputs = model(samples.images.index_select(0, numbers))
        labels = samples.labels.index_select(0, numbers)
        loss = loss_of_part(loss_function, outputs, labels, batch)
        world.add_up(testing.note(loss, outputs, part))
        yield


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Count the pairs: (C, C) int64, rows are true classes and columns predicted ones.

    `labels` and `predicted` are (N,) integers of 0 ... C - 1.

    >>> confusion_matrix([0, 0, 0, 1], [0, 0, 1, 1], classes=2)
    array([[2, 1],
           [0, 1]])
    """
    # int64 at once: in uint8, as labels are often kept, the product below would overflow.
    true, taken = np.asarray(labels, np.int64), np.asarray(predicted, np.int64)
    for name, values in (("labels", true), ("predicted", taken)):
        if values.size and not 0 <= values.min() <= values.max() < classes:
            raise ValueError(f"{name} of {values.min()} ... {values.max()} for {classes} classes")
    pairs = np.bincount(true * classes + taken, minlength=classes**2)
    return pairs.reshape(classes, classes)
