"""A training as a value: everything but its seed. From several seeds, to see what is chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from dlvc.training.checkpoints import Checkpoint
from dlvc.training.evaluation import LossFunction
from dlvc.training.initialization import initialise
from dlvc.training.loop import Keeper, fit, train_one_epoch
from dlvc.training.optimizers import Optimizer
from dlvc.training.progress import follow
from dlvc.training.runtime import Runtime
from dlvc.training.samples import Samples
from dlvc.training.state import Epoch

Model = TypeVar("Model", bound=nn.Module)
Tell = Callable[[Epoch], None]


@dataclass(frozen=True)
class Trained(Generic[Model]):
    """A model after its training, the curve that led to it, and the seed of both."""

    seed: int
    model: Model
    curve: list[Epoch]


@dataclass(frozen=True)
class Training(Generic[Model]):
    """What is trained on what, and how; `dlvc.training.loop.fit` says what the values mean.

    The seed that is left open stands for the initial weights and for the order of the samples.
    """

    build: Callable[[], Model]
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

    def initial(self, seed: int) -> Model:
        """The model before its training."""
        return self.runtime.prepare(initialise(self.build, seed))

    def begin(self, seed: int, checkpoint: Keeper) -> tuple[Model, Iterator[Epoch]]:
        """The model, and its epochs, which train it as they come."""
        model = self.initial(seed)
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
            world=self.runtime.world,
        )

    def from_seeds(
        self, seeds: range, stage: str, params: Mapping[str, Any], tell: Tell
    ) -> list[Trained[Model]]:
        """One training after the other, each with a checkpoint of its own, known by `params`.

        The epochs of the first are told to `tell`: it is the one that is shown.
        """
        trained = []
        for number, seed in enumerate(seeds):
            if len(seeds) > 1:
                print(f"seed {seed}", flush=True)
            name = f"{stage}_seed_{seed}" if number else stage
            with Checkpoint(name, params, self.runtime.world) as checkpoint:
                model, epochs = self.begin(seed, checkpoint)
                curve = follow(epochs, (lambda _record: None) if number else tell)
            trained.append(Trained(seed, model, curve))
        return trained
