"""The optimizers of the lectures, each with its equation.

w are the parameters, g = ∂J/∂w their gradient, η the learning rate. Tests compare each optimizer
with its equation and with torch's optimizer of the same name. They are written out here, on torch's
kernels, because lectures 24 and 25 are about them. Besides, the first optimizer of `torch.optim`
imports torch's compiler, which takes longer than a short training.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Optimizer(Protocol):
    """What the training loop requires of an optimizer."""

    def step(self) -> object:
        """Update the parameters with their gradients."""

    def zero_grad(self) -> None:
        """Set all gradients to None."""

    def state_dict(self) -> dict[str, Any]:
        """The state that later steps depend on, for a checkpoint."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state of `state_dict`, in place."""


class _OptimizerBase:
    """Parameters, learning rate, and one tensor per parameter for each kind of state."""

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float) -> None:
        self.parameters = list(parameters)
        self.learning_rate = learning_rate
        self.state: dict[str, list[Tensor]] = {}

    def zero_grad(self) -> None:
        """Set all gradients to None."""
        for w in self.parameters:
            w.grad = None

    def state_dict(self) -> dict[str, Any]:
        """The state tensors by name; the lists follow the order of the parameters."""
        return dict(self.state)

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copy the tensors of a `state_dict` into this optimizer's own."""
        for name, tensors in self.state.items():
            for tensor, value in zip(tensors, state[name], strict=True):
                tensor.copy_(value)


class SGD(_OptimizerBase):
    """w ← w - η g; with momentum μ: v ← μ v + g, w ← w - η v, and v = 0 at the start.

    Lecture 24 asks when to call `step`: after each epoch, each batch, or each sample. Called after
    each batch, it is lecture 25's stochastic gradient descent.

    The momentum has no dampening and is not Nesterov's. For a constant gradient, v grows to
    g / (1 - μ): with μ = 0.9 the steps become ten times as long.

    Source: lecture 24, `f.data.sub_(f.grad.data * learning_rate)`; lecture 25,
    `optim.SGD(net2.parameters(), lr=1e-4, momentum=0.9)`; Polyak, "Some methods of speeding up the
    convergence of iteration methods", 1964, doi:10.1016/0041-5553(64)90137-5 (where η is part of
    the velocity).

    >>> w = nn.Parameter(torch.tensor([1.0]))
    >>> (w**2).sum().backward()  # ∂J/∂w = 2w = 2
    >>> SGD([w], learning_rate=0.1).step()
    >>> round(w.item(), 6)
    0.8
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], learning_rate: float, momentum: float = 0.0
    ) -> None:
        super().__init__(parameters, learning_rate)
        self.momentum = momentum
        if momentum:
            self.state["v"] = [torch.zeros_like(w) for w in self.parameters]

    @torch.no_grad()
    def step(self) -> None:
        """Take one step against the gradient, or along the velocity."""
        for number, w in enumerate(self.parameters):
            if w.grad is None:
                continue
            step = w.grad
            if self.momentum:
                step = self.state["v"][number].mul_(self.momentum).add_(w.grad)
            w.sub_(step, alpha=self.learning_rate)


class Adam(_OptimizerBase):
    """Adam scales each parameter's step by running means of its gradient.

    m ← β₁ m + (1 - β₁) g; v ← β₂ v + (1 - β₂) g²;
    w ← w - η m̂ / (√v̂ + ε), with m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ) at step t.

    The defaults β₁ = 0.9, β₂ = 0.999, ε = 1e-8 are those of the paper and of torch. The lectures
    use them.

    Source: lectures 25, 29 and 40, `optim.Adam(net.parameters(), lr=1e-4)`; Kingma and Ba, "Adam:
    A Method for Stochastic Optimization", 2015, doi:10.48550/arXiv.1412.6980.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        learning_rate: float,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(parameters, learning_rate)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps
        self.state["m"] = [torch.zeros_like(w) for w in self.parameters]
        self.state["v"] = [torch.zeros_like(w) for w in self.parameters]
        self.state["t"] = [torch.zeros((), device=w.device) for w in self.parameters]

    @torch.no_grad()
    def step(self) -> None:
        """Take one scaled step."""
        used = [number for number, w in enumerate(self.parameters) if w.grad is not None]
        w: list[Tensor] = [self.parameters[number] for number in used]
        g = [parameter.grad for parameter in w if parameter.grad is not None]
        m, v, t = ([self.state[name][number] for number in used] for name in ("m", "v", "t"))
        torch._foreach_add_(t, 1)
        # The equation in one pass over memory. Written out, it reads and writes DenseNet-121's
        # seven million parameters a dozen times, which takes three times as long.
        torch._fused_adam_(
            w, g, m, v, [], t, lr=self.learning_rate, beta1=self.beta1, beta2=self.beta2,
            eps=self.eps, weight_decay=0, amsgrad=False, maximize=False,
        )  # fmt: skip
