"""The state of a training: everything that is needed to resume it with the same result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from dlvc.training.metrics import EpochResult, Evaluation
from dlvc.training.optimizers import Optimizer
from dlvc.training.samples import EpochState


@dataclass
class TrainingState:
    """A model in training: the model, its optimizer, and the position within the training.

    `generator` draws the order of the samples, `curve` has the completed epochs, `training` and
    `testing` are the two halves of the current epoch. They are None between two epochs.
    """

    model: nn.Module
    optimizer: Optimizer
    generator: torch.Generator
    curve: list[EpochResult] = field(default_factory=list)
    training: EpochState | None = None
    testing: EpochState | None = None

    def __str__(self) -> str:
        number, training = len(self.curve) + 1, self.training
        if training is None:
            return f"after epoch {len(self.curve)}"
        if self.testing is None:
            return f"in epoch {number}, after batch {training.batch_index} of {training.batches}"
        return f"in epoch {number}, after its last update"

    def state_dict(self) -> dict[str, Any]:
        """The state as numbers, text, lists and tensors, for `torch.save`.

        It includes torch's global generators. None of the models draws from them during training,
        but a model with dropout would.
        """
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
        return {
            "model": self.model.state_dict(),
            "gradients": [parameter.grad for parameter in self.model.parameters()],
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "global generators": [torch.get_rng_state(), *cuda],
            "curve": _curve_to_plain(self.curve),
            "training": vars(self.training) if self.training else None,
            "testing": vars(self.testing) if self.testing else None,
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Restore the state of `state_dict`; the model and the optimizer keep their tensors."""
        self.model.load_state_dict(saved["model"])
        parameters = list(self.model.parameters())
        for parameter, gradient in zip(parameters, saved["gradients"], strict=True):
            parameter.grad = None if gradient is None else gradient.to(parameter.device)
        self.optimizer.load_state_dict(saved["optimizer"])
        self.generator.set_state(saved["generator"])
        cpu, *cuda = saved["global generators"]
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
        self.curve = _curve_from_plain(saved["curve"])
        device = parameters[0].device
        self.training = _epoch_from_plain(saved["training"], device)
        self.testing = _epoch_from_plain(saved["testing"], device)


def _curve_to_plain(curve: list[EpochResult]) -> dict[str, Any]:
    """The curve as a few large tensors; to save thousands of small ones would take too long.

    Eight test samples share a byte of `correct`.
    """
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
        "correct": torch.from_numpy(np.packbits([test.correct for test in tests], axis=1)),
        "test samples": len(tests[0].correct),
        "samples": curve[0].samples,
    }


def _curve_from_plain(plain: Mapping[str, Any]) -> list[EpochResult]:
    curve = []
    for number, (updates, train_loss, train_accuracy, test_loss, test_accuracy) in enumerate(
        plain.get("numbers", [])
    ):
        packed = plain["correct"][number].numpy()
        correct = np.unpackbits(packed, count=plain["test samples"]).astype(bool)
        test = Evaluation(test_loss, test_accuracy, plain["confusion"][number].numpy(), correct)
        losses, samples = plain["batch_losses"][number].numpy(), plain["samples"]
        curve.append(
            EpochResult(number + 1, updates, train_loss, train_accuracy, test, losses, samples)
        )
    return curve


def _epoch_from_plain(plain: dict[str, Any] | None, device: torch.device) -> EpochState | None:
    if plain is None:
        return None
    moved: dict[str, Any] = {
        name: value.to(device) if isinstance(value, torch.Tensor) else value
        for name, value in plain.items()
    }
    return EpochState(**moved)
