import pytest
import torch
from torch import nn

from dlvc.models.lenet import LeNet
from dlvc.models.mlp.network import MLP
from dlvc.training.summary import Layer, count_parameters, summarize

DIGIT = torch.zeros(1, 28, 28, dtype=torch.uint8)


class LastFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Conv2d(2, 3, kernel_size=3, bias=False)
        self.inner = nn.Sequential(nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.inner(x))


def test_layers_stand_in_the_order_in_which_an_image_passes_them():
    assert summarize(LastFirst(), torch.zeros(1, 2, 8, 9)) == [
        Layer("inner.0", "ReLU", "2x8x9", 0),
        Layer("last", "Conv2d", "3x6x7", 3 * 3 * 2 * 3),
    ]


def test_the_parameters_of_all_layers_are_those_of_the_model():
    for model in (LeNet(), MLP()):
        rows = summarize(model, DIGIT)
        assert sum(row.parameters for row in rows) == count_parameters(model)
    assert count_parameters(LeNet()) == 61706


@pytest.mark.parametrize("training", [True, False])
def test_a_model_is_left_as_it_was(training):
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout()).train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    summarize(model, torch.ones(1, 2))
    assert model.training is training
    assert all(layer.training is training for layer in model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(layer._forward_hooks for layer in model)


def test_a_model_is_left_as_it_was_when_the_image_does_not_fit():
    model = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(RuntimeError):
        summarize(model, torch.ones(1, 3))
    assert model.training
    assert not model[0]._forward_hooks
