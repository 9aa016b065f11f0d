"""A training with all its settings except the seed, so that it can be run from several seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from dlvc.training.checkpoints import Checkpoint
from dlvc.training.evaluation import LossFunction
from dlvc.training.initialization import init_model
from dlvc.training.loop import Checkpointer, fit, train_one_epoch
from dlvc.training.metrics import EpochResult
from dlvc.training.optimizers import Optimizer
from dlvc.training.progress import print_epochs
from dlvc.training.runtime import Runtime
from dlvc.training.samples import Samples

Model = TypeVar("Model", bound=nn.Module)
LogMetrics = Callable[[Mapping[str, float], int], None]


def seeds_from(first: int, count: int) -> range:
    """`count` seeds, beginning with `first`.

    >>> list(seeds_from(5, 3))
    [5, 6, 7]
    """
    return range(first, first + count)


@dataclass(frozen=True)
class Trained(Generic[Model]):
    """A trained model, its learning curve, and the seed of both."""

    seed: int
    model: Model
    curve: list[EpochResult]


@dataclass(frozen=True)
class Trainer(Generic[Model]):
    """The settings of a training; `dlvc.training.loop.fit` explains them.

    The seed determines the initial weights and the order of the samples.
    """

    model_fn: Callable[[], Model]
    loss_function: LossFunction
    optimizer: Callable[[Iterator[nn.Parameter]], Optimizer]
    train: Samples
    test: Samples
    epochs: int
    batch_size: int
    runtime: Runtime
    shuffle: bool = True
    accumulate: bool = False
    one_epoch: Callable[..., Iterator[None]] = train_one_epoch

    def init_model(self, seed: int) -> Model:
        """The model with the initial weights of a seed."""
        return self.runtime.prepare(init_model(self.model_fn, seed))

    def fit_iter(self, seed: int, checkpoint: Checkpointer) -> tuple[Model, Iterator[EpochResult]]:
        """The model, and an iterator over the epochs that trains it."""
        model = self.init_model(seed)
        return model, fit(
            model,
            self.loss_function,
            self.optimizer(model.parameters()),
            self.train,
            self.test,
            epochs=self.epochs,
            batch_size=self.batch_size,
            generator=torch.Generator().manual_seed(seed),
            shuffle=self.shuffle,
            accumulate=self.accumulate,
            one_epoch=self.one_epoch,
            checkpoint=checkpoint,
            group=self.runtime.group,
        )

    def fit_seeds(
        self, seeds: range, stage: str, params: Mapping[str, Any], log_metrics: LogMetrics
    ) -> list[Trained[Model]]:
        """Train once from each seed; each training has a checkpoint of its own.

        `log_metrics` gets the metrics and the number of each epoch of the first seed, which is the
        one that MLflow shows.
        """

        def log_epoch(result: EpochResult) -> None:
            log_metrics(result.metrics, result.epoch)

        trained = []
        for number, seed in enumerate(seeds):
            if len(seeds) > 1:
                print(f"seed {seed}", flush=True)
            name = f"{stage}_seed_{seed}" if number else stage
            with Checkpoint(name, params, self.runtime.group) as checkpoint:
                model, epochs = self.fit_iter(seed, checkpoint)
                callback = (lambda _result: None) if number else log_epoch
                curve = print_epochs(epochs, self.epochs, callback)
            trained.append(Trained(seed, model, curve))
        return trained
