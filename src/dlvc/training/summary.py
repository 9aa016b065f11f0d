"""A summary of a model: the output shape and the number of parameters of each layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Layer:
    """One row of the summary."""

    layer: str
    type: str
    output_shape: str
    parameters: int


def count_parameters(model: nn.Module) -> int:
    """The number of trainable numbers of a model."""
    return sum(parameter.numel() for parameter in model.parameters())


@torch.no_grad()
def summarize(model: nn.Module, example: Tensor) -> list[Layer]:
    """One row for each layer without children, in the order in which they process `example`.

    `example` is a batch of one. The shapes leave out the batch dimension, because no parameter
    depends on it (lectures 28 and 29).

    >>> [row.output_shape for row in summarize(nn.Sequential(nn.Flatten()), torch.zeros(1, 2, 3))]
    ['6']
    """
    rows: list[Layer] = []
    names = {module: name for name, module in model.named_modules()}

    def add_row(module: nn.Module, _inputs: object, output: Tensor) -> None:
        shape = "x".join(str(length) for length in output.shape[1:])
        rows.append(Layer(names[module], type(module).__name__, shape, count_parameters(module)))

    leaves = [module for module in model.modules() if not list(module.children())]
    hooks = [leaf.register_forward_hook(add_row) for leaf in leaves]
    was_training = model.training
    try:
        model.eval()(example)
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return rows
