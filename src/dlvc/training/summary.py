"""The layer table: what each layer puts out, and what it has to learn."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Layer:
    """One row: the layer's name, its type, the shape of its output and its number of parameters."""

    layer: str
    type: str
    output_shape: str
    parameters: int


def count_parameters(model: nn.Module) -> int:
    """How many numbers a model learns."""
    return sum(parameter.numel() for parameter in model.parameters())


@torch.no_grad()
def layer_table(model: nn.Module, example: Tensor) -> list[Layer]:
    """One row for each layer without children, in the order in which `example` passes them.

    `example` is a batch of one. The batch is left out of the shapes: no parameter depends on it
    (lectures 28 and 29).

    >>> [row.output_shape for row in layer_table(nn.Sequential(nn.Flatten()), torch.zeros(1, 2, 3))]
    ['6']
    """
    rows: list[Layer] = []
    names = {module: name for name, module in model.named_modules()}

    def note(module: nn.Module, _inputs: object, output: Tensor) -> None:
        shape = "x".join(str(length) for length in output.shape[1:])
        rows.append(Layer(names[module], type(module).__name__, shape, count_parameters(module)))

    leaves = [module for module in model.modules() if not list(module.children())]
    hooks = [leaf.register_forward_hook(note) for leaf in leaves]
    was_training = model.training
    try:
        model.eval()(example)
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return rows
