"""Random initial weights from a seed, independent of torch's global generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)


def init_model(model_fn: Callable[[], Model], seed: int) -> Model:
    """Build a model with the initial weights that belong to `seed`.

    torch's layers draw their weights from the global generator. Its state is restored afterwards,
    and the same seed gives the same weights, whatever was drawn before.

    >>> first, again = (init_model(lambda: nn.Linear(3, 2), seed=7) for _ in range(2))
    >>> torch.equal(first.weight, again.weight)
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return model_fn()
