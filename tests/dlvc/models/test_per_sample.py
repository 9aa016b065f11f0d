"""Lecture 24c written out, held to autograd."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dlvc.data.bundled import bundled_digits
from dlvc.models.mlp import per_sample
from dlvc.models.mlp.network import MLP
from dlvc.training import loop
from dlvc.training.initialization import init_model
from dlvc.training.loop import fit
from dlvc.training.optimizers import SGD
from dlvc.training.samples import EpochState, Samples
from dvcview.errors import UserError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits() -> Samples:
    made = bundled_digits(train=1000, test=10, seed=1)
    return Samples.from_numpy(made.train_images, made.train_labels, CPU)


def passed(one_epoch, model, digits, *, rate=0.01, seed=3, **options):
    training = EpochState.shuffled(digits, 1, torch.Generator().manual_seed(seed))
    optimizer = SGD(model.parameters(), rate)
    for _ in one_epoch(model, F.cross_entropy, optimizer, digits, training, **options):
        pass
    return training.losses.numpy(), training.accuracy(digits.labels)


def test_a_thousand_updates_are_autograds(digits):
    model = init_model(MLP, seed=1)
    reference = copy.deepcopy(model)
    losses, accuracy = passed(per_sample.train_one_epoch, model, digits)
    expected_losses, expected_accuracy = passed(loop.train_one_epoch, reference, digits)
    for w, expected in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(w, expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-4, atol=1e-5)
    assert accuracy == expected_accuracy
    assert losses[-100:].mean() < 0.7 * losses[:100].mean()  # and it has learned


def test_one_update_is_the_gradient_that_autograd_finds(digits):
    model = init_model(MLP, seed=2)
    before = copy.deepcopy(model)
    image, label = digits.images[:1], digits.labels[:1]
    F.cross_entropy(before(image), label).backward()
    rule = SGD(model.parameters(), 0.5)
    list(
        per_sample.train_one_epoch(
            model,
            F.cross_entropy,
            rule,
            Samples(image, label),
            EpochState.start(torch.tensor([0]), 1),
        )
    )
    for w, old in zip(model.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(w, old - 0.5 * old.grad, rtol=1e-5, atol=1e-7)


def test_the_same_seed_gives_the_same_bits(digits):
    first, again = (init_model(MLP, seed=1) for _ in range(2))
    losses, _ = passed(per_sample.train_one_epoch, first, digits)
    losses_again, _ = passed(per_sample.train_one_epoch, again, digits)
    assert np.array_equal(losses, losses_again)
    for w, same in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(w, same)


def test_it_can_be_left_in_the_middle_and_taken_up_by_another_model(digits, monkeypatch):
    whole, parted = (init_model(MLP, seed=1) for _ in range(2))
    losses, accuracy = passed(per_sample.train_one_epoch, whole, digits)

    monkeypatch.setattr(per_sample, "AT_A_TIME", 400)
    training = EpochState.shuffled(digits, 1, torch.Generator().manual_seed(3))
    for done in (400, 800, 1000):
        parted = copy.deepcopy(parted)  # what has been learned is in the model, each time
        rule = SGD(parted.parameters(), 0.01)
        next(per_sample.train_one_epoch(parted, F.cross_entropy, rule, digits, training))
        assert training.batch_index == done

    assert np.array_equal(training.losses.numpy(), losses)
    assert training.accuracy(digits.labels) == accuracy
    for w, same in zip(parted.parameters(), whole.parameters(), strict=True):
        assert torch.equal(w, same)


def test_a_loss_that_is_not_a_number_stops_and_says_where(digits):
    model = init_model(MLP, seed=1)
    training = fit(
        model,
        F.cross_entropy,
        SGD(model.parameters(), 1e20),
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
        (nn.Linear(784, 10), F.cross_entropy, SGD, {}),
        (MLP(), F.nll_loss, SGD, {}),
        (MLP(), F.cross_entropy, lambda w, rate: SGD(w, rate, 0.9), {}),
        (MLP(), F.cross_entropy, SGD, {"accumulate": True}),
    ],
)
def test_whatever_is_not_written_out_is_refused(digits, model, loss_function, optimizer, options):
    rule = optimizer(model.parameters(), 0.1)
    with pytest.raises(TypeError, match="per-sample training requires an MLP"):
        next(
            per_sample.train_one_epoch(
                model,
                loss_function,
                rule,
                digits,
                EpochState.start(torch.tensor([0]), 1),
                **options,
            )
        )


def test_a_batch_of_two_is_refused(digits):
    model = MLP()
    rule = SGD(model.parameters(), 0.1)
    training = EpochState.start(torch.tensor([0, 1]), 2)
    with pytest.raises(TypeError, match="a batch size of 1"):
        next(per_sample.train_one_epoch(model, F.cross_entropy, rule, digits, training))
