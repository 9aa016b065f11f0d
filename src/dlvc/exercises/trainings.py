"""The trainings of an exercise: they run one after the other and collect their results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dlvc.training.checkpoints import Checkpoint
from dlvc.training.evaluation import LossFunction
from dlvc.training.loop import DivergedError
from dlvc.training.metrics import EpochResult
from dlvc.training.optimizers import Optimizer
from dlvc.training.results import curve_rows
from dlvc.training.runtime import Runtime
from dlvc.training.samples import Samples
from dlvc.training.trainer import Trained, Trainer

Model = TypeVar("Model", bound=nn.Module)


@dataclass
class Trainings:
    """The trainings of one exercise, each from the same seeds.

    Attributes:
        stage: the name of the stage, for the names of checkpoints.
        params: its parameters, which checkpoints depend on.
        seeds: the seeds of every training.
        runtime: where and how torch computes.
        train, test: the images.
        classes: the number of classes of the images.
        rows: the rows of trainings.csv: name and seed of a training, and the columns of curves.csv.
            A training that diverged has only the epochs before it diverged.
        diverged: the name and seed of each training that diverged.
        arrays: further results, by the names of their files.
    """

    stage: str
    params: Mapping[str, Any]
    seeds: range
    runtime: Runtime
    train: Samples
    test: Samples
    classes: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    diverged: list[dict[str, Any]] = field(default_factory=list)
    arrays: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def trainer(
        self,
        model_fn: Callable[[], Model],
        loss_function: LossFunction,
        optimizer: Callable[[Iterator[nn.Parameter]], Optimizer],
        *,
        epochs: int,
        batch_size: int,
        accumulate: bool = False,
    ) -> Trainer[Model]:
        """A trainer for these images in this runtime."""
        return Trainer(
            model_fn,
            loss_function,
            optimizer,
            self.train,
            self.test,
            epochs=epochs,
            batch_size=batch_size,
            runtime=self.runtime,
            accumulate=accumulate,
        )

    def run(self, name: str, trainer: Trainer[Model]) -> list[Trained[Model]]:
        """Train from every seed; prints one line for each."""
        return [self._run(name, trainer, seed) for seed in self.seeds]

    def run_at_best_rate(
        self,
        name: str,
        optimizer: Callable[..., Optimizer],
        learning_rates: Iterable[float],
        trainer_with: Callable[[Callable[..., Optimizer]], Trainer[Model]],
    ) -> None:
        """Train at every learning rate from the first seed, and at the best one from the others.

        The best rate has the highest test accuracy after the last epoch, among those at which the
        training did not diverge. Because the first seed chooses, only the others can judge it.
        `at_best_rate` in `dlvc.evidence.curves` reads their curves.
        """
        first, *others = self.seeds
        trainers = {
            f"{name}, rate {rate:g}": trainer_with(partial(optimizer, learning_rate=rate))
            for rate in learning_rates
        }
        reached = {}
        for title, trainer in trainers.items():
            trained = self._run(title, trainer, first)
            if {"training": title, "seed": first} not in self.diverged:
                reached[title] = trained.curve[-1].test.accuracy
        if reached:
            best = max(reached, key=reached.__getitem__)
            for seed in others:
                self._run(best, trainers[best], seed)

    def _run(self, name: str, trainer: Trainer[Model], seed: int) -> Trained[Model]:
        curve: list[EpochResult] = []
        checkpoint_name = f"{self.stage}_{name.replace(' ', '_')}_seed_{seed}"
        with Checkpoint(checkpoint_name, self.params) as checkpoint:
            model, epochs = trainer.fit_iter(seed, checkpoint)
            try:
                curve.extend(epochs)  # keeps the epochs before an error
            except DivergedError as error:
                self.diverged.append({"training": name, "seed": seed})
                print(f"{name}, seed {seed}: {error}", flush=True)
        if curve:
            print(f"{name}, seed {seed}: {curve[-1]}", flush=True)
        rows = curve_rows(curve, lecture_scale=False)
        self.rows += [{"training": name, "seed": seed, **row} for row in rows]
        return Trained(seed, model, curve)


def subset(samples: Samples, count: int, seed: int) -> Samples:
    """`count` samples, drawn without replacement; all samples if there are not more."""
    if count >= len(samples):
        return samples
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(seed))
    chosen = order[:count].sort().values.to(samples.labels.device)
    return Samples(samples.images[chosen], samples.labels[chosen])
