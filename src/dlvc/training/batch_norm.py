"""Batch normalisation over a batch whose parts are with several processes.

torch's own `SyncBatchNorm` does this on GPUs only. Left as they are, the layers would normalise
each part by itself: another model for every number of processes.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from dlvc.training.process_group import World

PIXELS = (0, 2, 3)  # all dimensions of (N, C, H, W) but the channels


def normalise_together(model: nn.Module, world: World) -> None:
    """Have every `BatchNorm2d` of a model see the whole batch; names and weights stay."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            together = partial(_forward, module, type(module).forward, world)
            module.forward = together  # type: ignore[method-assign]


def _forward(layer: nn.BatchNorm2d, alone: Any, world: World, x: Tensor) -> Tensor:
    """What the layer does with `x` (N, C, H, W), of which every process has some N."""
    if not layer.training:
        outputs: Tensor = alone(layer, x)
        return outputs
    momentum = layer.momentum or 0.0
    outputs, mean, variance, count = _Normalise.apply(x, layer.weight, layer.bias, layer.eps, world)
    with torch.no_grad():
        kept = dict(layer.named_buffers())
        kept["running_mean"].lerp_(mean, momentum)
        kept["running_var"].lerp_(variance * (count / (count - 1)), momentum)
        kept["num_batches_tracked"].add_(1)
    return outputs


def _full(x: Tensor) -> Tensor:
    """A sum over a batch would lose too much in bfloat16."""
    return x.float() if x.dtype == torch.bfloat16 else x


class _Normalise(torch.autograd.Function):
    """y = w x̂ + b,  x̂ = (x − μ) / √(σ² + ε),  μ and σ² over all samples and pixels of a channel.

    Backward, Σ over all of them, n in number:

        ∂J/∂x = w / √(σ² + ε) · (∂J/∂y − Σ ∂J/∂y / n − x̂ Σ (∂J/∂y x̂) / n)

    ∂J/∂w and ∂J/∂b stay this process's part of their sum, as the gradients of all other parameters.

    Source: Ioffe, Szegedy, "Batch Normalization", 2015, arXiv:1502.03167.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, world: World
    ) -> tuple[Tensor, Tensor, Tensor, float]:
        """Returns y, μ, σ² (biased) and n."""
        mine = x.numel() // x.shape[1]
        variance, mean = (
            torch.var_mean(_full(x), PIXELS, correction=0)
            if mine
            else (torch.zeros_like(weight), torch.zeros_like(weight))
        )
        # In float64, where squares can be added and subtracted again without a loss that counts.
        count = torch.tensor([float(mine)], dtype=torch.float64, device=x.device)
        first, second = mine * mean.double(), mine * (variance.double() + mean.double().square())
        world.add_up([count, first, second])
        n = count.item()
        mean = (first / n).to(weight.dtype)
        variance = (second / n - (first / n).square()).clamp_min(0).to(weight.dtype)
        outputs = F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)
        ctx.save_for_backward(x, weight, mean, torch.rsqrt(variance + eps))
        ctx.count, ctx.world = n, world
        ctx.mark_non_differentiable(mean, variance)
        return outputs, mean, variance, n

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor, *_: object) -> tuple[Tensor | None, ...]:
        """`slope` is ∂J/∂y (N, C, H, W)."""
        x, weight, mean, scale = ctx.saved_tensors
        spread = [values[:, None, None] for values in (mean, scale, weight)]
        normal = (x - spread[0]) * spread[1]  # x̂
        of_bias, of_weight = _full(slope).sum(PIXELS), (slope * normal).sum(PIXELS)
        sums = [of_bias.clone(), of_weight.clone()]
        ctx.world.add_up(sums)
        shift, tilt = (total[:, None, None] / ctx.count for total in sums)
        of_x = spread[2] * spread[1] * (slope - shift - normal * tilt)
        return of_x.to(x.dtype), of_weight, of_bias, None, None
