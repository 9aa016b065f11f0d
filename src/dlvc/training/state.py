"""What a training is at one moment: enough to go on from there as if nothing had happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dlvc.training.evaluation import Evaluation
from dlvc.training.optimizers import Optimizer
from dlvc.training.samples import Pass


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


@dataclass
class TrainingState:
    """A model in training: its weights, what its optimizer remembers, the generator of the order,
    the epochs so far, and the passes of the epoch that is going on (none between two epochs)."""

    model: nn.Module
    optimizer: Optimizer
    generator: torch.Generator
    curve: list[Epoch] = field(default_factory=list)
    training: Pass | None = None
    testing: Pass | None = None

    def __str__(self) -> str:
        number = len(self.curve) + 1
        if self.training is None:
            return f"after epoch {len(self.curve)}"
        if self.testing is None:
            return f"in epoch {number}, after batch {self.training.done} of {self.training.batches}"
        return f"in epoch {number}, after its last update"

    def save(self) -> dict[str, Any]:
        """Numbers, text, lists and tensors, for `torch.save`.

        torch's global generators are in it, too: no model of ours draws from them in training, but
        one with dropout would.
        """
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
        return {
            "model": self.model.state_dict(),
            "gradients": [parameter.grad for parameter in self.model.parameters()],
            "optimizer": self.optimizer.memory(),
            "generator": self.generator.get_state(),
            "global generators": [torch.get_rng_state(), *cuda],
            "curve": _curve_as_plain(self.curve),
            "training": vars(self.training) if self.training else None,
            "testing": vars(self.testing) if self.testing else None,
        }

    @torch.no_grad()
    def restore(self, saved: Mapping[str, Any]) -> None:
        """Become what `save` gave, in place: the model and the optimizer keep their tensors."""
        self.model.load_state_dict(saved["model"])
        parameters = list(self.model.parameters())
        for parameter, gradient in zip(parameters, saved["gradients"], strict=True):
            parameter.grad = None if gradient is None else gradient.to(parameter.device)
        for tensor, value in zip(self.optimizer.memory(), saved["optimizer"], strict=True):
            tensor.copy_(value)
        self.generator.set_state(saved["generator"])
        cpu, *cuda = saved["global generators"]
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
        self.curve = _curve_from_plain(saved["curve"])
        device = parameters[0].device
        self.training = _pass_from_plain(saved["training"], device)
        self.testing = _pass_from_plain(saved["testing"], device)


def _curve_as_plain(curve: list[Epoch]) -> dict[str, Any]:
    """Few large tensors: thousands of small ones would take longer to write than to make."""
    if not curve:
        return {}
    tests = [epoch.test for epoch in curve]
    return {
        "numbers": [
            (epoch.updates, epoch.train_loss, epoch.train_accuracy, test.loss, test.accuracy)
            for epoch, test in zip(curve, tests, strict=True)
        ],
        "batch_losses": torch.from_numpy(np.stack([epoch.batch_losses for epoch in curve])),
        "confusion": torch.from_numpy(np.stack([test.confusion for test in tests])),
        "samples": curve[0].samples,
    }


def _curve_from_plain(plain: Mapping[str, Any]) -> list[Epoch]:
    curve = []
    for number, (updates, train_loss, train_accuracy, test_loss, test_accuracy) in enumerate(
        plain.get("numbers", [])
    ):
        test = Evaluation(test_loss, test_accuracy, plain["confusion"][number].numpy())
        losses = plain["batch_losses"][number].numpy()
        curve.append(
            Epoch(number + 1, updates, train_loss, train_accuracy, test, losses, plain["samples"])
        )
    return curve


def _pass_from_plain(plain: dict[str, Any] | None, device: torch.device) -> Pass | None:
    if plain is None:
        return None
    moved: dict[str, Any] = {
        name: value.to(device) if isinstance(value, torch.Tensor) else value
        for name, value in plain.items()
    }
    return Pass(**moved)
