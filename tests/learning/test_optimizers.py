"""Each rule against its equation, computed with NumPy, over several steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dlvc.learning.optimizers import GradientDescent, adam, momentum, sgd

RATE = 0.05
STEPS = 7


def gradients() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(STEPS, 4))


def path(make) -> np.ndarray:
    """Where w goes from (1, 1, 1, 1) when it meets `gradients`."""
    w = nn.Parameter(torch.ones(4, dtype=torch.float64))
    optimizer = make([w])
    points = []
    for g in gradients():
        w.grad = torch.tensor(g)
        optimizer.step()
        optimizer.zero_grad()
        points.append(w.detach().numpy().copy())
    assert w.grad is None
    return np.array(points)


@pytest.mark.parametrize("make", [GradientDescent, sgd], ids=["written out", "torch's"])
def test_gradient_descent(make):
    expected = 1 - RATE * np.cumsum(gradients(), axis=0)
    np.testing.assert_allclose(path(lambda w: make(w, RATE)), expected, rtol=1e-14)


def test_momentum_is_neither_damped_nor_nesterovs():
    w, v, expected = np.ones(4), np.zeros(4), []
    for g in gradients():
        v = 0.9 * v + g
        w = w - RATE * v
        expected.append(w)
    np.testing.assert_allclose(path(lambda w: momentum(w, RATE, 0.9)), expected, rtol=1e-13)


def test_adam_corrects_the_bias_of_both_averages():
    w, m, v, expected = np.ones(4), np.zeros(4), np.zeros(4), []
    for t, g in enumerate(gradients(), start=1):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        w = w - RATE * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        expected.append(w)
    np.testing.assert_allclose(path(lambda w: adam(w, RATE)), expected, rtol=1e-12)


def test_against_a_constant_gradient_momentum_becomes_a_ten_times_larger_rate():
    w = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = momentum([w], RATE, 0.9)
    for _ in range(300):
        before = w.item()
        w.grad = torch.ones(1, dtype=torch.float64)
        optimizer.step()
    assert before - w.item() == pytest.approx(10 * RATE, rel=1e-6)


def test_gradient_descent_leaves_a_parameter_without_gradient_alone():
    w = nn.Parameter(torch.ones(2))
    GradientDescent([w], RATE).step()
    assert torch.equal(w, torch.ones(2))
