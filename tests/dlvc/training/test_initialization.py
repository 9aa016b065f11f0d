import torch
from torch import nn

from dlvc.models.lenet import LeNet
from dlvc.training.initialization import init_model


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first, again, other = (weights(init_model(LeNet, seed)) for seed in (29, 29, 30))
    assert torch.equal(first, again)
    assert not (first == other).any()


def test_the_weights_do_not_depend_on_what_was_drawn_before():
    first = weights(init_model(LeNet, 29))
    torch.rand(5)
    assert torch.equal(weights(init_model(LeNet, 29)), first)


def test_what_is_drawn_next_does_not_depend_on_the_model():
    torch.manual_seed(3)
    expected = torch.rand(5)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    init_model(LeNet, 29)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(torch.rand(5), expected)


def test_the_weights_are_those_that_torch_draws_for_the_seed():
    torch.manual_seed(7)
    expected = nn.Linear(3, 2).weight
    assert torch.equal(init_model(lambda: nn.Linear(3, 2), 7).weight, expected)
