import numpy as np
import pytest
import torch
from torch import nn

from dlvc.models.perceptron import Perceptron, one_hot_mse
from dlvc.training.initialization import init_model
from dlvc.training.summary import count_parameters


def test_its_probabilities_are_those_of_numpy_in_float64():
    model = init_model(lambda: Perceptron(9), seed=5)
    features = np.random.default_rng(0).normal(size=(6, 9)).astype(np.float32)
    weight, bias = model.L.weight.detach().double().numpy(), model.L.bias.detach().double().numpy()

    exponentials = np.exp(features.astype(np.float64) @ weight.T + bias)
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)

    found = model(torch.from_numpy(features)).detach().numpy()
    assert found.shape == (6, 10)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_it_has_a_weight_for_each_feature_and_class_and_a_bias_for_each_class():
    assert count_parameters(Perceptron(9)) == 9 * 10 + 10


def test_the_loss_is_torch_s_mse_against_one_hot_labels_made_by_hand():
    labels = torch.tensor([2, 0, 1, 2])
    one_hot = torch.tensor([[0.0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    probabilities = torch.rand(4, 3, generator=torch.Generator().manual_seed(2)).softmax(dim=1)
    ours, theirs = (probabilities.clone().requires_grad_() for _ in range(2))
    loss, expected = one_hot_mse(ours, labels), nn.MSELoss()(theirs, one_hot)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_the_loss_is_a_mean_over_samples_and_classes_by_hand():
    """(0.9² + 0.8² + 0.1²) / 3 and 0 / 3, over two samples."""
    probabilities = torch.tensor([[0.1, 0.8, 0.1], [0.0, 0.0, 1.0]], dtype=torch.float64)
    loss = one_hot_mse(probabilities, torch.tensor([0, 2]))
    assert loss.item() == pytest.approx((0.81 + 0.64 + 0.01) / 6, rel=1e-12)


def test_a_guess_of_one_tenth_each_costs_nine_hundredths():
    """(0.9² + 9 · 0.1²) / 10: about where the lecture's loss starts, on its own scale."""
    loss = one_hot_mse(torch.full((8, 10), 0.1), torch.arange(8))
    assert loss.item() == pytest.approx(0.09)
