"""Every rule by which the lectures change the parameters, with its equation.

w are the parameters, g = ∂J/∂w their gradient, η the learning rate. Lecture 24 writes its update
out by hand, and so does `GradientDescent`; lectures 25, 29 and 40 take torch's optimizers, and so
do `sgd`, `momentum` and `adam`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import nn
from torch.optim import SGD, Adam


class Optimizer(Protocol):
    """What the training loop asks of an optimizer; torch's own have it."""

    def step(self) -> object:
        """Change the parameters by their gradients."""

    def zero_grad(self) -> None:
        """Forget the gradients."""


class GradientDescent:
    """w ← w - η g.

    When it is called is the lecture's question: once an epoch, once a batch, once a sample.

    Source: lecture 24, `f.data.sub_(f.grad.data * learning_rate)`.

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


def sgd(parameters: Iterable[nn.Parameter], learning_rate: float) -> SGD:
    """Stochastic gradient descent: w ← w - η g.

    Source: lecture 25, `optim.SGD(net1.parameters(), lr=1e-4)`.
    """
    return SGD(parameters, lr=learning_rate)


def momentum(parameters: Iterable[nn.Parameter], learning_rate: float, momentum: float) -> SGD:
    """Gradient descent with momentum μ: v ← μ v + g; w ← w - η v, with v = 0 at the start.

    Neither damped nor Nesterov's. Against a constant gradient v grows to g / (1 - μ): with
    μ = 0.9 the steps become ten times longer.

    Source: lecture 25, `optim.SGD(net2.parameters(), lr=1e-4, momentum=0.9)`; Polyak, "Some
    methods of speeding up the convergence of iteration methods", 1964,
    doi:10.1016/0041-5553(64)90137-5 (there η stands inside the velocity).
    """
    return SGD(parameters, lr=learning_rate, momentum=momentum)


def adam(parameters: Iterable[nn.Parameter], learning_rate: float) -> Adam:
    """Adam: the step is scaled, number by number, by the gradient's recent size.

    m ← β₁ m + (1 - β₁) g; v ← β₂ v + (1 - β₂) g²;
    w ← w - η m̂ / (√v̂ + ε), with m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ) at the t-th step.

    β₁ = 0.9, β₂ = 0.999, ε = 1e-8: the paper's and torch's defaults, which the lectures use.

    Source: lectures 25, 29 and 40, `optim.Adam(net.parameters(), lr=1e-4)`; Kingma and Ba, "Adam:
    A Method for Stochastic Optimization", 2015, doi:10.48550/arXiv.1412.6980.
    """
    # One kernel for all parameters: DenseNet-121 has 364 of them.
    return Adam(parameters, lr=learning_rate, fused=True)
