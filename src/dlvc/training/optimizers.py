"""Every rule by which the lectures change the parameters, with its equation.

w are the parameters, g = ∂J/∂w their gradient, η the learning rate. Tests hold each rule to its
equation and to torch's optimizer of that name. They are written out here, on torch's kernels,
because they are what lectures 24 and 25 are about; and `torch.optim` imports torch's compiler
when the first optimizer is made, which takes longer than a short training.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor, nn

State = dict[Tensor, Tensor]  # something remembered of each parameter


class Optimizer(Protocol):
    """What the training loop asks of an optimizer."""

    def step(self) -> object:
        """Change the parameters by their gradients."""

    def zero_grad(self) -> None:
        """Forget the gradients."""

    def memory(self) -> list[Tensor]:
        """What it remembers from step to step, always in the same order: for a checkpoint."""


class GradientDescent:
    """w ← w - η g.

    When it is called is the question of lecture 24: once an epoch, once a batch, once a sample.
    Called once a batch, it is lecture 25's stochastic gradient descent.

    Source: lecture 24, `f.data.sub_(f.grad.data * learning_rate)`; lecture 25,
    `optim.SGD(net1.parameters(), lr=1e-4)`.

    >>> w = nn.Parameter(torch.tensor([1.0]))
    >>> (w**2).sum().backward()  # ∂J/∂w = 2w = 2
    >>> GradientDescent([w], learning_rate=0.1).step()
    >>> round(w.item(), 6)
    0.8
    """

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float) -> None:
        self.parameters = list(parameters)
        self.learning_rate = learning_rate

    @torch.no_grad()
    def step(self) -> None:
        """Take one step down the gradient."""
        for w in self.parameters:
            if w.grad is not None:
                w.sub_(w.grad, alpha=self.learning_rate)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for w in self.parameters:
            w.grad = None

    def memory(self) -> list[Tensor]:
        """Nothing."""
        return []


class Momentum(GradientDescent):
    """Gradient descent with momentum μ: v ← μ v + g; w ← w - η v, with v = 0 at the start.

    Neither damped nor Nesterov's. Against a constant gradient v grows to g / (1 - μ): with
    μ = 0.9 the steps become ten times longer.

    Source: lecture 25, `optim.SGD(net2.parameters(), lr=1e-4, momentum=0.9)`; Polyak, "Some
    methods of speeding up the convergence of iteration methods", 1964,
    doi:10.1016/0041-5553(64)90137-5 (there η stands inside the velocity).
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], learning_rate: float, momentum: float
    ) -> None:
        super().__init__(parameters, learning_rate)
        self.momentum = momentum
        self.velocity: State = {w: torch.zeros_like(w) for w in self.parameters}

    @torch.no_grad()
    def step(self) -> None:
        """Take one step along the velocity."""
        for w in self.parameters:
            if w.grad is not None:
                v = self.velocity[w].mul_(self.momentum).add_(w.grad)
                w.sub_(v, alpha=self.learning_rate)

    def memory(self) -> list[Tensor]:
        """The velocities."""
        return list(self.velocity.values())


class Adam(GradientDescent):
    """Adam: the step is scaled, number by number, by the gradient's recent size.

    m ← β₁ m + (1 - β₁) g; v ← β₂ v + (1 - β₂) g²;
    w ← w - η m̂ / (√v̂ + ε), with m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ) at the t-th step.

    β₁ = 0.9, β₂ = 0.999, ε = 1e-8: the paper's and torch's defaults, which the lectures use.

    Source: lectures 25, 29 and 40, `optim.Adam(net.parameters(), lr=1e-4)`; Kingma and Ba, "Adam:
    A Method for Stochastic Optimization", 2015, doi:10.48550/arXiv.1412.6980.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float) -> None:
        super().__init__(parameters, learning_rate)
        self.m: State = {w: torch.zeros_like(w) for w in self.parameters}
        self.v: State = {w: torch.zeros_like(w) for w in self.parameters}
        self.t: State = {w: torch.zeros((), device=w.device) for w in self.parameters}

    @torch.no_grad()
    def step(self) -> None:
        """Take one scaled step."""
        moved = [(w, w.grad) for w in self.parameters if w.grad is not None]
        w: list[Tensor] = [parameter for parameter, _ in moved]
        g: list[Tensor] = [gradient for _, gradient in moved]
        m, v, t = ([state[parameter] for parameter in w] for state in (self.m, self.v, self.t))
        torch._foreach_add_(t, 1)
        # The equation in one pass over memory. Written out, it reads and writes DenseNet-121's
        # seven million parameters a dozen times, which takes three times as long.
        torch._fused_adam_(
            w, g, m, v, [], t, lr=self.learning_rate, beta1=0.9, beta2=0.999, eps=1e-8,
            weight_decay=0, amsgrad=False, maximize=False,
        )  # fmt: skip

    def memory(self) -> list[Tensor]:
        """The means of the gradients and of their squares, and the numbers of steps."""
        return [*self.m.values(), *self.v.values(), *self.t.values()]
