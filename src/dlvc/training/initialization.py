"""Random initial weights from a seed, not from a global state."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)


def initialise(build: Callable[[], Model], seed: int) -> Model:
    """The model that `build` makes, with the initial weights that `seed` stands for.

    torch's layers draw their weights from the global generator, which is borrowed and given back:
    the same seed gives the same weights whatever was drawn before.

    >>> first, again = (initialise(lambda: nn.Linear(3, 2), seed=7) for _ in range(2))
    >>> torch.equal(first.weight, again.weight)
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()
