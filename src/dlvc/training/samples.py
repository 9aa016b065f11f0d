"""Samples on a device, and the state of one epoch over them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Samples:
    """Images (or features) `(N, ...)` and their labels int64 `(N,)`, all of them on one device."""

    images: Tensor
    labels: Tensor

    @classmethod
    def from_numpy(
        cls, images: NDArray[np.generic], labels: NDArray[np.int64], device: torch.device
    ) -> Samples:
        """Copy arrays to a device."""
        return cls(torch.tensor(images, device=device), torch.tensor(labels, device=device))

    def __len__(self) -> int:
        return len(self.labels)


@dataclass
class EpochState:
    """One epoch over some samples: their order, the next batch, and the results of past batches.

    Attributes:
        indices: int64 `(N,)`, the samples in the order in which the epoch uses them.
        batch_size: samples in each batch; the last batch may be smaller.
        losses: float32 `(batches,)`, the mean loss of each batch. Zero from `batch_index` on.
        predicted: int64 `(N,)`, the predicted class of each sample, in the order of `indices`.
            Zero from `batch_index` on.
        batch_index: the number of batches that are complete, which is the index of the next one.
        classes: the number of outputs of the model, known after the first batch.
    """

    indices: Tensor
    batch_size: int
    losses: Tensor
    predicted: Tensor
    batch_index: int = 0
    classes: int = 0

    @classmethod
    def start(cls, indices: Tensor, batch_size: int) -> EpochState:
        """The state before the first batch.

        >>> [EpochState.start(torch.arange(5), batch_size=2).batch(n) for n in range(3)]
        [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
        """
        batches = math.ceil(len(indices) / batch_size)
        losses = torch.zeros(batches, device=indices.device)
        return cls(indices, batch_size, losses, torch.zeros_like(indices))

    @classmethod
    def sequential(cls, samples: Samples, batch_size: int) -> EpochState:
        """An epoch over the samples in their stored order."""
        return cls.start(torch.arange(len(samples), device=samples.labels.device), batch_size)

    @classmethod
    def shuffled(cls, samples: Samples, batch_size: int, generator: torch.Generator) -> EpochState:
        """An epoch over the samples in a random order, drawn from `generator`."""
        indices = torch.randperm(len(samples), generator=generator)
        return cls.start(indices.to(samples.labels.device), batch_size)

    @property
    def batches(self) -> int:
        """The number of batches in the epoch."""
        return len(self.losses)

    @property
    def is_complete(self) -> bool:
        """Whether all batches are complete."""
        return self.batch_index == self.batches

    def batch(self, number: int) -> slice:
        """The part of `indices` that belongs to a batch."""
        start = number * self.batch_size
        return slice(start, min(start + self.batch_size, len(self.indices)))

    def update(self, loss: Tensor, outputs: Tensor, shard: slice) -> list[Tensor]:
        """Record the results of one process's shard of the next batch.

        Args:
            loss: this shard's part of the mean loss of the batch.
            outputs: `(n, classes)`.
            shard: the part of `indices` that the shard covers.

        Returns:
            Views of `losses` and `predicted`, which the caller sums over all processes in place.
        """
        batch = self.batch(self.batch_index)
        self.losses[self.batch_index] = loss.detach()
        self.predicted[shard] = outputs.detach().argmax(dim=1)
        self.classes = outputs.shape[1]
        self.batch_index += 1
        return [self.losses[self.batch_index - 1], self.predicted[batch]]

    def mean_loss(self) -> float:
        """The mean loss over the samples of a complete epoch."""
        sizes = [len(self.indices[self.batch(number)]) for number in range(self.batches)]
        return float(np.average(self.losses.cpu().numpy().astype(np.float64), weights=sizes))

    def accuracy(self, labels: Tensor) -> float:
        """The fraction of correct predictions in a complete epoch; `labels` are int64 `(N,)`."""
        correct: Tensor = self.predicted == labels.index_select(0, self.indices)
        return correct.sum().item() / len(self.indices)
