"""Each rule against its equation, computed with NumPy, over several steps."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from dlvc.training.optimizers import SGD, Adam

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


def test_gradient_descent():
    expected = 1 - RATE * np.cumsum(gradients(), axis=0)
    np.testing.assert_allclose(path(lambda w: SGD(w, RATE)), expected, rtol=1e-14)


def test_momentum_is_neither_damped_nor_nesterovs():
    w, v, expected = np.ones(4), np.zeros(4), []
    for g in gradients():
        v = 0.9 * v + g
        w = w - RATE * v
        expected.append(w)
    np.testing.assert_allclose(path(lambda w: SGD(w, RATE, 0.9)), expected, rtol=1e-13)


def test_adam_corrects_the_bias_of_both_averages():
    w, m, v, expected = np.ones(4), np.zeros(4), np.zeros(4), []
    for t, g in enumerate(gradients(), start=1):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        w = w - RATE * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        expected.append(w)
    np.testing.assert_allclose(path(lambda w: Adam(w, RATE)), expected, rtol=1e-12)


def test_against_a_constant_gradient_momentum_becomes_a_ten_times_larger_rate():
    w = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = SGD([w], RATE, 0.9)
    for _ in range(300):
        before = w.item()
        w.grad = torch.ones(1, dtype=torch.float64)
        optimizer.step()
    assert before - w.item() == pytest.approx(10 * RATE, rel=1e-6)


RULES = {
    "sgd": (lambda w: SGD(w, RATE), lambda w: torch.optim.SGD(w, lr=RATE)),
    "momentum": (
        lambda w: SGD(w, RATE, 0.9),
        lambda w: torch.optim.SGD(w, lr=RATE, momentum=0.9),
    ),
    "adam": (lambda w: Adam(w, RATE), lambda w: torch.optim.Adam(w, lr=RATE)),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_torchs_optimizer_of_that_name(rule):
    """On a network in float32, which is what the lectures call it with."""
    first = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))
    second = copy.deepcopy(first)
    ours, torchs = (
        make(model.parameters()) for make, model in zip(RULES[rule], (first, second), strict=True)
    )
    generator = torch.Generator().manual_seed(2)
    for _ in range(50):
        x = torch.randn(8, 6, generator=generator)
        y = torch.randint(3, (8,), generator=generator)
        for model, optimizer in ((first, ours), (second, torchs)):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    for w, expected in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(w, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_a_parameter_without_gradient_is_left_alone(rule):
    frozen, moved = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = RULES[rule][0]([frozen, moved])
    moved.grad = torch.ones(2)
    optimizer.step()
    assert torch.equal(frozen, torch.ones(2))
    assert not torch.equal(moved, torch.ones(2))
