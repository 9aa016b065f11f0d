"""The one training loop of the course.

Updates per epoch, per batch and per sample differ in one respect: how many samples an update is
computed from. Every model of lectures 5 to 40 is trained by `fit`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import torch
from torch import Tensor, nn

from dlvc.training.evaluation import LossFunction, evaluate_batches, evaluation_state, loss_of_shard
from dlvc.training.metrics import EpochResult, Evaluation
from dlvc.training.optimizers import Optimizer
from dlvc.training.process_group import SINGLE_PROCESS, ProcessGroup
from dlvc.training.progress import progress_bar
from dlvc.training.samples import EpochState, Samples
from dlvc.training.state import TrainingState
from dvcview.errors import UserError

CHECK_EVERY = 50  # updates between two checks of the loss, each of which makes a GPU wait


class DivergedError(UserError):
    """A loss is not a finite number."""


class Checkpointer(Protocol):
    """Saves and restores a training, as `dlvc.training.checkpoints.Checkpoint` does."""

    def restore_or_start(
        self, state: TrainingState, train: Samples, test: Samples
    ) -> AbstractContextManager[Callable[[], None]]:
        """Restore `state` from a checkpoint, if there is one.

        The context gives a function to call after each batch, which may save a checkpoint.
        """


class NoCheckpoints:
    """A `Checkpointer` that saves nothing."""

    def restore_or_start(
        self, _state: TrainingState, _train: Samples, _test: Samples
    ) -> AbstractContextManager[Callable[[], None]]:
        """Leave `state` as it is."""
        return nullcontext(lambda: None)


def train_one_epoch(
    model: nn.Module,
    loss_function: LossFunction,
    optimizer: Optimizer,
    samples: Samples,
    training: EpochState,
    *,
    accumulate: bool = False,
    group: ProcessGroup = SINGLE_PROCESS,
) -> Iterator[None]:
    """Train the model on the remaining batches of `training`; yields after each batch.

    By default every batch is followed by an update. With `accumulate` the gradients of all batches
    are accumulated into the gradient of their mean loss, and one update follows at the end
    (lectures 24a and 5). The notebooks instead add up the losses and call `backward` once, which
    holds the activations of every batch in memory. The gradient is the same.

    Each process of the `group` computes its shard of every batch. Gradients and losses are summed
    over all processes.
    """
    model.train()
    parameters = list(model.parameters())
    labels = samples.labels.index_select(0, training.indices)  # in the order of this epoch
    while not training.is_complete:
        batch = training.batch(training.batch_index)
        shard = group.shard(batch)
        outputs = model(samples.images.index_select(0, training.indices[shard]))
        loss = loss_of_shard(loss_function, outputs, labels[shard], batch)
        if accumulate:
            (loss / training.batches).backward()  # type: ignore[no-untyped-call]
        else:
            loss.backward()  # type: ignore[no-untyped-call]
            group.all_reduce(_gradients(parameters))
            optimizer.step()
            optimizer.zero_grad()
        group.all_reduce(training.update(loss, outputs, shard))
        yield
    if accumulate:
        group.all_reduce(_gradients(parameters))
        optimizer.step()
        optimizer.zero_grad()


def _gradients(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    return [w.grad for w in parameters if w.grad is not None]


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
    shuffle: bool = True,
    accumulate: bool = False,
    one_epoch: Callable[..., Iterator[None]] = train_one_epoch,
    checkpoint: Checkpointer | None = None,
    group: ProcessGroup = SINGLE_PROCESS,
) -> Iterator[EpochResult]:
    """Train `model` in place; yields the result of each epoch.

    Args:
        model: the model, on the device of the samples.
        loss_function: the mean loss of outputs `(N, C)` and labels `(N,)`.
        optimizer: updates the parameters of `model`.
        train: the training samples.
        test: the test samples, evaluated after each epoch.
        epochs: the number of epochs.
        batch_size: samples in each batch.
        generator: draws a new order of the training samples for each epoch.
        shuffle: False keeps the stored order.
        accumulate: one update per epoch; see `train_one_epoch`.
        one_epoch: `train_one_epoch`, or another implementation of it.
        checkpoint: resumes an interrupted training. The epochs that it has restored are yielded
            again without being trained again.
        group: the processes that train together. All of them call `fit` with the same arguments
            and get the same results.

    Raises:
        DivergedError: a loss is not a finite number. The message names the epoch and the update.
    """
    state = TrainingState(model, optimizer, generator)
    with (checkpoint or NoCheckpoints()).restore_or_start(state, train, test) as on_batch_end:
        yield from state.curve
        for number in range(len(state.curve) + 1, epochs + 1):
            updates = state.curve[-1].updates if state.curve else 0
            if state.training is None:
                state.training = (
                    EpochState.shuffled(train, batch_size, generator)
                    if shuffle
                    else EpochState.sequential(train, batch_size)
                )
            training = state.training
            if state.testing is None:
                with progress_bar(f"epoch {number}/{epochs}", training) as show:
                    for _ in one_epoch(
                        model, loss_function, optimizer, train, training,
                        accumulate=accumulate, group=group,
                    ):  # fmt: skip
                        if training.batch_index % CHECK_EVERY == 0 or training.is_complete:
                            show(_finite_loss(training, number, updates, accumulate=accumulate))
                        on_batch_end()
                state.testing = evaluation_state(test, batch_size)
            updates += 1 if accumulate else training.batches

            for _ in evaluate_batches(model, loss_function, test, state.testing, group):
                on_batch_end()
            evaluation = Evaluation.from_state(state.testing, test)
            if not math.isfinite(evaluation.loss):
                raise _diverged(f"the test loss is {evaluation.loss} after", number, updates)

            result = EpochResult(
                epoch=number,
                updates=updates,
                train_loss=training.mean_loss(),
                train_accuracy=training.accuracy(train.labels),
                test=evaluation,
                batch_losses=training.losses.cpu().numpy(),
                samples=len(train),
            )
            state.curve.append(result)
            state.training = state.testing = None
            on_batch_end()
            yield result


def _finite_loss(training: EpochState, epoch: int, updates: int, *, accumulate: bool) -> float:
    """The last loss, if all losses of the epoch are finite; `updates` are those before it."""
    losses = training.losses[: training.batch_index]
    bad = (~torch.isfinite(losses)).nonzero()
    if len(bad):
        update = updates + (1 if accumulate else int(bad[0]) + 1)
        raise _diverged(f"the loss is {losses[bad[0]].item()} at", epoch, update)
    return losses[-1].item()


def _diverged(what: str, epoch: int, update: int) -> DivergedError:
    return DivergedError(
        f"{what} epoch {epoch}, update {update}; a lower learning_rate in params.yaml may help"
    )
