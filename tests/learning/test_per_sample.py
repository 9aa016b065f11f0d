"""Lecture 24c written out, held to autograd."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dlvc.data.bundled import bundled_digits
from dlvc.errors import UserError
from dlvc.learning import loop, per_sample
from dlvc.learning.loop import Samples, batches, fit
from dlvc.learning.optimizers import GradientDescent, Momentum
from dlvc.models.initialise import initialise
from dlvc.models.mlp import MLP

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits() -> Samples:
    made = bundled_digits(train=1000, test=10, seed=1)
    return Samples.of(made.train_images, made.train_labels, CPU)


def passed(one_epoch, model, digits, *, rate=0.01, seed=3, **options):
    order = batches(len(digits), 1, torch.Generator().manual_seed(seed))
    optimizer = GradientDescent(model.parameters(), rate)
    return one_epoch(model, F.cross_entropy, optimizer, digits, order, **options)


def test_a_thousand_updates_are_autograds(digits):
    model = initialise(MLP, seed=1)
    reference = copy.deepcopy(model)
    losses, accuracy = passed(per_sample.train_one_epoch, model, digits)
    expected_losses, expected_accuracy = passed(loop.train_one_epoch, reference, digits)
    for w, expected in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(w, expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-4, atol=1e-5)
    assert accuracy == expected_accuracy
    assert losses[-100:].mean() < 0.7 * losses[:100].mean()  # and it has learned


def test_one_update_is_the_gradient_that_autograd_finds(digits):
    model = initialise(MLP, seed=2)
    before = copy.deepcopy(model)
    image, label = digits.images[:1], digits.labels[:1]
    F.cross_entropy(before(image), label).backward()
    per_sample.train_one_epoch(
        model,
        F.cross_entropy,
        GradientDescent(model.parameters(), 0.5),
        Samples(image, label),
        [torch.tensor([0])],
    )
    for w, old in zip(model.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(w, old - 0.5 * old.grad, rtol=1e-5, atol=1e-7)


def test_the_same_seed_gives_the_same_bits(digits):
    first, again = (initialise(MLP, seed=1) for _ in range(2))
    losses, _ = passed(per_sample.train_one_epoch, first, digits)
    losses_again, _ = passed(per_sample.train_one_epoch, again, digits)
    assert np.array_equal(losses, losses_again)
    for w, same in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(w, same)


def test_progress_is_reported(digits, monkeypatch):
    monkeypatch.setattr(per_sample, "REPORT_EVERY", 400)
    seen = []
    losses, _ = passed(
        per_sample.train_one_epoch,
        initialise(MLP, seed=1),
        digits,
        report=lambda done, loss: seen.append((done, loss)),
    )
    assert seen == [(400, losses[399]), (800, losses[799]), (1000, losses[999])]


def test_a_loss_that_is_not_a_number_stops_and_says_where(digits):
    model = initialise(MLP, seed=1)
    training = fit(
        model,
        F.cross_entropy,
        GradientDescent(model.parameters(), 1e20),
        digits,
        digits,
        epochs=2,
        batch_size=1,
        generator=torch.Generator().manual_seed(1),
        one_epoch=per_sample.train_one_epoch,
    )
    with pytest.raises(UserError, match=r"the loss is (nan|inf) at epoch 1, update \d+; a lower"):
        list(training)


@pytest.mark.parametrize(
    ("model", "loss_function", "optimizer", "options"),
    [
        (nn.Linear(784, 10), F.cross_entropy, GradientDescent, {}),
        (MLP(), F.nll_loss, GradientDescent, {}),
        (MLP(), F.cross_entropy, lambda w, rate: Momentum(w, rate, 0.9), {}),
        (MLP(), F.cross_entropy, GradientDescent, {"accumulate": True}),
    ],
)
def test_whatever_is_not_written_out_is_refused(digits, model, loss_function, optimizer, options):
    rule = optimizer(model.parameters(), 0.1)
    with pytest.raises(TypeError, match="written out is an MLP's cross entropy"):
        per_sample.train_one_epoch(
            model, loss_function, rule, digits, [torch.tensor([0])], **options
        )


def test_a_batch_of_two_is_refused(digits):
    model = MLP()
    with pytest.raises(TypeError, match="by one image"):
        per_sample.train_one_epoch(
            model,
            F.cross_entropy,
            GradientDescent(model.parameters(), 0.1),
            digits,
            [torch.tensor([0, 1])],
        )
