"""Costs held to what can be counted by hand, and to the papers' numbers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlvc.models.costs import (
    activation_rows,
    cost,
    model_costs,
    size_rows,
    stored_bytes,
)
from dlvc.models.lenet import LeNet
from dlvc.models.mlp.network import MLP


def test_a_linear_layer_costs_what_is_counted_by_hand():
    """4 * 3 weights and 3 biases; a multiplication and an addition a weight; it keeps its input."""
    found = cost("linear", lambda: nn.Linear(4, 3), torch.rand(3, 4, device="meta"))
    assert found.parameters == 15
    assert found.operations == 2 * 4 * 3
    assert found.parameter_bytes == 4 * 15
    # The layer keeps its input (4), the cross entropy its log-softmax (3) and the label (int64).
    assert found.activation_bytes == 4 * (4 + 3) + 8


@pytest.fixture(scope="module")
def models():
    return {found.model: found for found in model_costs(image_size=32)}


def test_the_models_have_as_many_parameters_as_their_papers_and_lectures_say(models):
    """torchvision's documentation has those of the large ones; lecture 29 those of LeNet."""
    assert {name: found.parameters for name, found in models.items()} == {
        "perceptron": 100,
        "MLP": 784 * 400 + 400 + 400 * 256 + 256 + 256 * 10 + 10,
        "LeNet": 61_706,
        "DenseNet-121": 7_978_856,
        "ResNet-18": 11_689_512,
        "ResNet-34": 21_797_672,
        "ResNet-50": 25_557_032,
        "VGG-16": 138_357_544,
    }


def test_operations_are_two_a_weight_and_place(models):
    assert models["MLP"].operations == 2 * (784 * 400 + 400 * 256 + 256 * 10)
    convolutions = 2 * (5 * 5 * 6 * 28 * 28 + 5 * 5 * 6 * 16 * 10 * 10)
    assert models["LeNet"].operations == convolutions + 2 * (400 * 120 + 120 * 84 + 84 * 10)


def test_what_is_kept_does_not_count_the_parameters_and_grows_with_the_batch():
    model = MLP()
    batch = torch.zeros(5, 28, 28, dtype=torch.uint8)
    one, two = (stored_bytes(model, [batch[:n]]) for n in (1, 2))
    assert 0 < one < two < 4 * 28 * 28 * 400  # the first layer's weights alone would be that


def test_batches_that_are_added_up_keep_as_many_times_as_much():
    one, many = activation_rows(batch_size=10, batches=4)
    assert many["activation_bytes"] == 4 * one["activation_bytes"]
    assert (many["batches"], many["images"]) == (4, 40)


def test_lenets_parameters_do_not_follow_the_batch_and_its_output_does():
    one, two = size_rows()
    assert one == {"batch_size": 1, "parameters": 61_706, "output": "1x10"}
    assert two == {"batch_size": 2, "parameters": 61_706, "output": "2x10"}


@pytest.mark.parametrize("model_fn", [MLP, LeNet])
def test_counting_without_values_gives_what_a_real_batch_stores(model_fn):
    real = stored_bytes(model_fn(), [torch.zeros(5, 28, 28, dtype=torch.uint8)])
    with torch.device("meta"):
        model, batch = model_fn(), torch.zeros(5, 28, 28, dtype=torch.uint8)
    assert stored_bytes(model, [batch]) == real
