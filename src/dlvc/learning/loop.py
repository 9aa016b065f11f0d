"""The one training loop of the course.

Per epoch, per batch and per sample are one idea with one question: after how many samples is a
step taken? Every model of lectures 5 to 40 goes through `fit`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dlvc.errors import UserError
from dlvc.learning.optimizers import Optimizer
from dlvc.learning.progress import progress_bar

LossFunction = Callable[[Tensor, Tensor], Tensor]

EVALUATION_BATCH = 250  # only bounds the memory: nothing is updated, so no result hangs on it
CHECK_EVERY = 50  # updates between two looks at the loss: a look makes a GPU wait


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


@dataclass(frozen=True)
class Evaluation:
    """The mean loss over samples, the share that is right, and the predicted class of each."""

    loss: float
    accuracy: float
    predicted: NDArray[np.int64]


@dataclass(frozen=True)
class Epoch:
    """What one epoch brought.

    `train_loss` and `train_accuracy` are means over the samples as they passed, each seen with the
    weights of its moment (as the lectures print them); the test set is seen after the epoch's last
    update. `batch_losses` float32 `(batches,)` are the mean losses of the batches in their order.
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
            f"train loss {self.train_loss:.4f}, {self.train_accuracy:.2%} right; "
            f"test loss {self.test.loss:.4f}, {self.test.accuracy:.2%} right"
        )

    @property
    def train_loss_lecture_scale(self) -> float:
        """Σ over batches of their mean loss, divided by the number of *samples*.

        What the notebooks of lectures 5, 29 and 40 print: about the mean over the batch size.
        """
        return float(self.batch_losses.sum(dtype=np.float64)) / self.samples


def batches(n: int, batch_size: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    """A fresh random order of `n` samples, cut into batches; the last one may be smaller."""
    return torch.split(torch.randperm(n, generator=generator), batch_size)


def train_one_epoch(
    model: nn.Module,
    loss_function: LossFunction,
    optimizer: Optimizer,
    samples: Samples,
    order: Sequence[Tensor],
    *,
    accumulate: bool = False,
    report: Callable[[int, float], None] = lambda number, loss: None,
) -> tuple[NDArray[np.float32], float]:
    """Pass every batch of `order` once; the mean loss of each batch and the accuracy come back.

    With `accumulate` the gradients of all batches add up, as the gradient of the mean of their
    losses, and one update follows at the end: lecture 24a and lecture 5. (The notebooks add up the
    losses and go backward once, holding every batch's activations; the gradient is the same and
    this holds one batch's.) Without, every batch is followed by its update.

    `report(number, loss)` is called after every `CHECK_EVERY` batches and after the last.
    """
    model.train()
    indices = torch.cat(tuple(order)).to(samples.labels.device)
    labels = samples.labels.index_select(0, indices)  # in the order in which they pass
    predicted = torch.empty_like(labels)
    losses = torch.empty(len(order), device=labels.device)
    start = 0
    for number, size in enumerate(map(len, order)):
        batch = slice(start, start + size)
        start += size
        outputs = model(samples.images.index_select(0, indices[batch]))
        loss = loss_function(outputs, labels[batch])
        if accumulate:
            (loss / len(order)).backward()  # type: ignore[no-untyped-call]
        else:
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad()
        losses[number] = loss.detach()
        predicted[batch] = outputs.detach().argmax(dim=1)
        if (number + 1) % CHECK_EVERY == 0 or number + 1 == len(order):
            report(number + 1, finite_loss(losses[: number + 1]))
    if accumulate:
        optimizer.step()
        optimizer.zero_grad()
    return losses.cpu().numpy(), (predicted == labels).sum().item() / len(labels)


@torch.no_grad()
def evaluate(model: nn.Module, loss_function: LossFunction, samples: Samples) -> Evaluation:
    """How a model does on samples that it does not learn from."""
    model.eval()
    total = 0.0
    predicted = []
    for images, labels in zip(
        torch.split(samples.images, EVALUATION_BATCH),
        torch.split(samples.labels, EVALUATION_BATCH),
        strict=True,
    ):
        outputs = model(images)
        total += loss_function(outputs, labels).item() * len(labels)
        predicted.append(outputs.argmax(dim=1))
    classes = torch.cat(predicted)
    accuracy = (classes == samples.labels).sum().item() / len(samples)
    return Evaluation(total / len(samples), accuracy, classes.cpu().numpy())


def fit(
    model: nn.Module,
    loss_function: LossFunction,
    optimizer: Optimizer,
    train: Samples,
    test: Samples,
    *,
    epochs: int,
    batch_size: int,
    generator: torch.Generator,
    accumulate: bool = False,
    one_epoch: Callable[..., tuple[NDArray[np.float32], float]] = train_one_epoch,
) -> Iterator[Epoch]:
    """Train `model` in place, one record an epoch.

    `generator` draws the order of the samples, afresh for every epoch. `one_epoch` passes them
    once: `train_one_epoch`, or what does the same another way. Raises `UserError` that names the
    epoch and the update when the loss is no longer a finite number.
    """
    updates = 0
    for number in range(1, epochs + 1):
        order = batches(len(train), batch_size, generator)
        with progress_bar(f"epoch {number}/{epochs}", len(order)) as bar:
            try:
                batch_losses, accuracy = one_epoch(
                    model, loss_function, optimizer, train, order, accumulate=accumulate, report=bar
                )
            except _DivergedError as diverged:
                raise UserError(
                    f"the loss is {diverged.loss} at epoch {number}, "
                    f"update {updates + (1 if accumulate else diverged.batch)}; "
                    "a lower learning_rate in params.yaml may help"
                ) from None
        updates += 1 if accumulate else len(order)
        sizes = np.array([len(chosen) for chosen in order])
        result = evaluate(model, loss_function, test)
        if not math.isfinite(result.loss):
            raise UserError(
                f"the test loss is {result.loss} after epoch {number}, update {updates}; "
                "a lower learning_rate in params.yaml may help"
            )
        yield Epoch(
            epoch=number,
            updates=updates,
            train_loss=float(np.average(batch_losses.astype(np.float64), weights=sizes)),
            train_accuracy=accuracy,
            test=result,
            batch_losses=batch_losses,
            samples=len(train),
        )


class _DivergedError(Exception):
    """The loss of a batch (counted from 1 within the epoch) is NaN or infinite."""

    def __init__(self, batch: int, loss: float) -> None:
        super().__init__(batch, loss)
        self.batch = batch
        self.loss = loss


def finite_loss(losses: Tensor) -> float:
    """The last loss, if all are finite numbers; else what `fit` tells the user of."""
    bad = (~torch.isfinite(losses)).nonzero()
    if len(bad):
        raise _DivergedError(int(bad[0]) + 1, losses[bad[0]].item())
    return losses[-1].item()
