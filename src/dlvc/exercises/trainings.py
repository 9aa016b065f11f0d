"""The trainings of an exercise: on which images, from which seeds, and what they bring."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dlvc.training.checkpoints import Checkpoint
from dlvc.training.evaluation import LossFunction
from dlvc.training.loop import DivergedError
from dlvc.training.optimizers import Optimizer
from dlvc.training.results import curve_rows
from dlvc.training.runtime import Runtime
from dlvc.training.samples import Samples
from dlvc.training.state import Epoch
from dlvc.training.trainer import Trained, Training

Model = TypeVar("Model", bound=nn.Module)


@dataclass
class Trainings:
    """The trainings of one exercise, one after the other, each from the same seeds.

    `rows` are those of trainings.csv: name and seed of a training, then the columns of curves.csv.
    Of a training that diverged they are the epochs before, and `diverged` has its name and seed.
    `arrays` are what else an exercise wants to keep, by the names of their files. `stage` and
    `params` are what checkpoints are known by.
    """

    stage: str
    params: Mapping[str, Any]
    seeds: range
    runtime: Runtime
    train: Samples
    test: Samples
    rows: list[dict[str, Any]] = field(default_factory=list)
    diverged: list[dict[str, Any]] = field(default_factory=list)
    arrays: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def training(
        self,
        build: Callable[[], Model],
        loss_function: LossFunction,
        optimizer: Callable[[Iterator[nn.Parameter]], Optimizer],
        *,
        epochs: int,
        batch_size: int,
        accumulate: bool = False,
    ) -> Training[Model]:
        """A training on these images, in this runtime."""
        return Training(
            build,
            loss_function,
            optimizer,
            self.train,
            self.test,
            epochs=epochs,
            batch_size=batch_size,
            runtime=self.runtime,
            accumulate=accumulate,
        )

    def run(self, name: str, training: Training[Model]) -> list[Trained[Model]]:
        """Train from every seed; a line is printed when one has ended."""
        return [self._run(name, training, seed) for seed in self.seeds]

    def _run(self, name: str, training: Training[Model], seed: int) -> Trained[Model]:
        curve: list[Epoch] = []
        place = f"{self.stage}_{name.replace(' ', '_')}_seed_{seed}"
        with Checkpoint(place, self.params) as checkpoint:
            model, epochs = training.begin(seed, checkpoint)
            try:
                curve.extend(epochs)  # what came before an error is kept
            except DivergedError as error:
                self.diverged.append({"training": name, "seed": seed})
                print(f"{name}, seed {seed}: {error}", flush=True)
        if curve:
            print(f"{name}, seed {seed}: {curve[-1]}", flush=True)
        rows = curve_rows(curve, lecture_scale=False)
        self.rows += [{"training": name, "seed": seed, **row} for row in rows]
        return Trained(seed, model, curve)


def some(samples: Samples, count: int, seed: int) -> Samples:
    """As many samples, drawn without replacement; all of them where there are not more."""
    if count >= len(samples):
        return samples
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(seed))
    chosen = order[:count].sort().values.to(samples.labels.device)
    return Samples(samples.images[chosen], samples.labels[chosen])
