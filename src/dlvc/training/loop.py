"""The one training loop of the course.

Per epoch, per batch and per sample are one idea with one question: after how many samples is a
step taken? Every model of lectures 5 to 40 goes through `fit`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import torch
from torch import Tensor, nn

from dlvc.training.evaluation import (
    Evaluation,
    LossFunction,
    evaluate_batches,
    in_order,
    loss_of_part,
)
from dlvc.training.optimizers import Optimizer
from dlvc.training.process_group import ALONE, World
from dlvc.training.progress import progress_bar
from dlvc.training.samples import Pass, Samples
from dlvc.training.state import Epoch, TrainingState
from dvcview.errors import UserError

CHECK_EVERY = 50  # updates between two looks at the loss: a look makes a GPU wait


class DivergedError(UserError):
    """A loss is no longer a finite number."""


class Keeper(Protocol):
    """What keeps a training's state while it goes on: `dlvc.training.checkpoints.Checkpoint`."""

    def keep(
        self, state: TrainingState, train: Samples, test: Samples
    ) -> AbstractContextManager[Callable[[], None]]:
        """Bring `state` to where it was left, if it was, and give a function to call at every
        point at which it can be left."""


class NotKept:
    """Keeps nothing."""

    def keep(
        self, _state: TrainingState, _train: Samples, _test: Samples
    ) -> AbstractContextManager[Callable[[], None]]:
        """Leave `state` as it is."""
        return nullcontext(lambda: None)


def train_one_epoch(
    model: nn.Module,
    loss_function: LossFunction,
    optimizer: Optimizer,
    samples: Samples,
    training: Pass,
    *,
    accumulate: bool = False,
    world: World = ALONE,
) -> Iterator[None]:
    """Pass what is left of `training` through the model; yields after each batch.

    With `accumulate` the gradients of all batches add up, as the gradient of the mean of their
    losses, and one update follows at the end: lecture 24a and lecture 5. (The notebooks add up the
    losses and go backward once, holding every batch's activations; the gradient is the same and
    this holds one batch's.) Without, every batch is followed by its update. Of each batch this
    process takes its share in the `world`; gradients and losses become those of the whole.
    """
    model.train()
    parameters = list(model.parameters())
    labels = samples.labels.index_select(0, training.order)  # in the order in which they pass
    while not training.is_complete:
        batch = training.batch(training.done)
        part = world.share_of(batch)
        outputs = model(samples.images.index_select(0, training.order[part]))
        loss = loss_of_part(loss_function, outputs, labels[part], batch)
        if accumulate:
            (loss / training.batches).backward()  # type: ignore[no-untyped-call]
        else:
            loss.backward()  # type: ignore[no-untyped-call]
            world.add_up(_gradients(parameters))
            optimizer.step()
            optimizer.zero_grad()
        world.add_up(training.note(loss, outputs, part))
        yield
    if accumulate:
        world.add_up(_gradients(parameters))
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
    checkpoint: Keeper | None = None,
    world: World = ALONE,
) -> Iterator[Epoch]:
    """Train `model` in place, one record an epoch.

    `generator` draws the order of the samples, afresh for every epoch; without `shuffle` they pass
    as they stand. `one_epoch` passes them once: `train_one_epoch`, or what does the same another
    way. With a `checkpoint` a training that was left goes on where it was; the epochs before come
    again as records, not as work. All processes of a `world` call this with the same arguments, and
    get the same records. Raises `DivergedError` that names the epoch and the update when the loss
    is no longer a finite number.
    """
    state = TrainingState(model, optimizer, generator)
    with (checkpoint or NotKept()).keep(state, train, test) as may_be_left_here:
        yield from state.curve
        for number in range(len(state.curve) + 1, epochs + 1):
            updates = state.curve[-1].updates if state.curve else 0
            if state.training is None:
                state.training = (
                    Pass.shuffled(train, batch_size, generator)
                    if shuffle
                    else Pass.in_order(train, batch_size)
                )
            training = state.training
            if state.testing is None:
                with progress_bar(f"epoch {number}/{epochs}", training) as show:
                    for _ in one_epoch(
                        model, loss_function, optimizer, train, training,
                        accumulate=accumulate, world=world,
                    ):  # fmt: skip
                        if training.done % CHECK_EVERY == 0 or training.is_complete:
                            show(_finite_loss(training, number, updates, accumulate=accumulate))
                        may_be_left_here()
                state.testing = in_order(test)
            updates += 1 if accumulate else training.batches

            for _ in evaluate_batches(model, loss_function, test, state.testing, world):
                may_be_left_here()
            result = Evaluation.of(state.testing, test)
            if not math.isfinite(result.loss):
                raise _diverged(f"the test loss is {result.loss} after", number, updates)

            record = Epoch(
                epoch=number,
                updates=updates,
                train_loss=training.mean_loss(),
                train_accuracy=training.accuracy(train.labels),
                test=result,
                batch_losses=training.losses.cpu().numpy(),
                samples=len(train),
            )
            state.curve.append(record)
            state.training = state.testing = None
            may_be_left_here()
            yield record


def _finite_loss(training: Pass, epoch: int, updates: int, *, accumulate: bool) -> float:
    """The last loss, if all so far are finite numbers; `updates` are those before this epoch."""
    losses = training.losses[: training.done]
    bad = (~torch.isfinite(losses)).nonzero()
    if len(bad):
        update = updates + (1 if accumulate else int(bad[0]) + 1)
        raise _diverged(f"the loss is {losses[bad[0]].item()} at", epoch, update)
    return losses[-1].item()


def _diverged(what: str, epoch: int, update: int) -> DivergedError:
    return DivergedError(
        f"{what} epoch {epoch}, update {update}; a lower learning_rate in params.yaml may help"
    )
