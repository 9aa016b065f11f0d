"""Samples on a device, and one pass over them that can be left and taken up again."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Samples:
    """Images (or features) `(N, ...)` with their labels int64 `(N,)`, whole, on one device."""

    images: Tensor
    labels: Tensor

    @classmethod
    def of(
        cls, images: NDArray[np.generic], labels: NDArray[np.int64], device: torch.device
    ) -> Samples:
        """Copy arrays to a device."""
        return cls(torch.tensor(images, device=device), torch.tensor(labels, device=device))

    def __len__(self) -> int:
        return len(self.labels)


@dataclass
class Pass:
    """One pass over samples, batch by batch: its order, how far it is, what it has brought so far.

    `order` int64 `(N,)` are the samples' numbers in the order in which they pass; `losses` float32
    `(batches,)` the mean loss of each batch, `predicted` int64 `(N,)` the class predicted for each
    sample, in that order. Of the last two, what belongs to the first `done` batches is valid, and
    the rest is zero.
    `classes` is how many outputs the model has, known after the first batch.
    """

    order: Tensor
    batch_size: int
    losses: Tensor
    predicted: Tensor
    done: int = 0
    classes: int = 0

    @classmethod
    def over(cls, order: Tensor, batch_size: int) -> Pass:
        """A pass at its beginning; the last batch may be smaller.

        >>> [Pass.over(torch.arange(5), batch_size=2).batch(n) for n in range(3)]
        [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
        """
        batches = math.ceil(len(order) / batch_size)
        losses = torch.zeros(batches, device=order.device)
        return cls(order, batch_size, losses, torch.zeros_like(order))

    @classmethod
    def in_order(cls, samples: Samples, batch_size: int) -> Pass:
        """A pass over samples as they stand."""
        return cls.over(torch.arange(len(samples), device=samples.labels.device), batch_size)

    @classmethod
    def shuffled(cls, samples: Samples, batch_size: int, generator: torch.Generator) -> Pass:
        """A pass in a random order, which `generator` draws."""
        order = torch.randperm(len(samples), generator=generator)
        return cls.over(order.to(samples.labels.device), batch_size)

    @property
    def batches(self) -> int:
        """How many there are in all."""
        return len(self.losses)

    @property
    def is_complete(self) -> bool:
        """Whether every batch has passed."""
        return self.done == self.batches

    def batch(self, number: int) -> slice:
        """Where the samples of a batch stand in `order`."""
        start = number * self.batch_size
        return slice(start, min(start + self.batch_size, len(self.order)))

    def note(self, loss: Tensor, outputs: Tensor, part: slice) -> list[Tensor]:
        """Keep what a part of the next batch has brought: its part of the batch's mean loss, and
        outputs `(n, classes)`. Returns what the other parts' are to be added to, in place."""
        batch = self.batch(self.done)
        self.losses[self.done] = loss.detach()
        self.predicted[part] = outputs.detach().argmax(dim=1)
        self.classes = outputs.shape[1]
        self.done += 1
        return [self.losses[self.done - 1], self.predicted[batch]]

    def mean_loss(self) -> float:
        """The mean over samples, of a complete pass."""
        sizes = [len(self.order[self.batch(number)]) for number in range(self.batches)]
        return float(np.average(self.losses.cpu().numpy().astype(np.float64), weights=sizes))

    def accuracy(self, labels: Tensor) -> float:
        """The share of samples that is right, of a complete pass; `labels` int64 `(N,)`."""
        right: Tensor = self.predicted == labels.index_select(0, self.order)
        return right.sum().item() / len(self.order)
