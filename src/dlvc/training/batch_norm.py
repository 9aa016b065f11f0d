"""Batch normalization over a batch whose shards are in several processes.

torch's own `SyncBatchNorm` requires GPUs. Unchanged layers would normalize each shard by itself,
so that every number of processes would train another model.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from dlvc.training.process_group import ProcessGroup

NOT_CHANNELS = (0, 2, 3)  # the other dimensions of (N, C, H, W)


def synchronize_batch_norm(model: nn.Module, group: ProcessGroup) -> None:
    """Make every `BatchNorm2d` normalize over the whole batch; names and weights stay the same."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            forward = partial(_forward, module, type(module).forward, group)
            module.forward = forward  # type: ignore[method-assign]


def _forward(layer: nn.BatchNorm2d, original: Any, group: ProcessGroup, x: Tensor) -> Tensor:
    """The forward pass of the layer for one process's shard `x` (N, C, H, W)."""
    if not layer.training:
        outputs: Tensor = original(layer, x)
        return outputs
    momentum = layer.momentum or 0.0
    outputs, mean, variance, count = _BatchNorm.apply(x, layer.weight, layer.bias, layer.eps, group)
    with torch.no_grad():
        buffers = dict(layer.named_buffers())
        buffers["running_mean"].lerp_(mean, momentum)
        buffers["running_var"].lerp_(variance * (count / (count - 1)), momentum)
        buffers["num_batches_tracked"].add_(1)
    return outputs


def _to_float32(x: Tensor) -> Tensor:
    """Convert bfloat16, in which a sum over a batch would lose too many digits."""
    return x.float() if x.dtype == torch.bfloat16 else x


class _BatchNorm(torch.autograd.Function):
    """y = w x̂ + b,  x̂ = (x − μ) / √(σ² + ε),  μ and σ² over all samples and pixels of a channel.

    Backward, where Σ is over all n samples and pixels:

        ∂J/∂x = w / √(σ² + ε) · (∂J/∂y − Σ ∂J/∂y / n − x̂ Σ (∂J/∂y x̂) / n)

    ∂J/∂w and ∂J/∂b are this shard's part of the sum, like the gradients of all other parameters.

    Source: Ioffe, Szegedy, "Batch Normalization", 2015, arXiv:1502.03167.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, group: ProcessGroup
    ) -> tuple[Tensor, Tensor, Tensor, float]:
        """Returns y, μ, σ² (biased) and n."""
        own = x.numel() // x.shape[1]
        variance, mean = (
            torch.var_mean(_to_float32(x), NOT_CHANNELS, correction=0)
            if own
            else (torch.zeros_like(weight), torch.zeros_like(weight))
        )
        # float64, in which squares can be added and subtracted without a relevant loss of digits.
        count = torch.tensor([float(own)], dtype=torch.float64, device=x.device)
        first, second = own * mean.double(), own * (variance.double() + mean.double().square())
        group.all_reduce([count, first, second])
        n = count.item()
        mean = (first / n).to(weight.dtype)
        variance = (second / n - (first / n).square()).clamp_min(0).to(weight.dtype)
        outputs = F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)
        ctx.save_for_backward(x, weight, mean, torch.rsqrt(variance + eps))
        ctx.count, ctx.group = n, group
        ctx.mark_non_differentiable(mean, variance)
        return outputs, mean, variance, n

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: object) -> tuple[Tensor | None, ...]:
        """`grad` is ∂J/∂y (N, C, H, W)."""
        x, weight, mean, scale = ctx.saved_tensors
        mean, scale, weight = (values[:, None, None] for values in (mean, scale, weight))
        normalized = (x - mean) * scale  # x̂
        grad_bias = _to_float32(grad).sum(NOT_CHANNELS)
        grad_weight = (grad * normalized).sum(NOT_CHANNELS)
        sums = [grad_bias.clone(), grad_weight.clone()]
        ctx.group.all_reduce(sums)
        mean_grad, mean_grad_normalized = (total[:, None, None] / ctx.count for total in sums)
        grad_x = weight * scale * (grad - mean_grad - normalized * mean_grad_normalized)
        return grad_x.to(x.dtype), grad_weight, grad_bias, None, None
