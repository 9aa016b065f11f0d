"""ResNet-18 as it stands beside DenseNet-121."""

from __future__ import annotations

import torch
from torchvision.models import resnet18

from dlvc.models.resnet import ResNet18
from dlvc.training.initialization import init_model
from dlvc.training.summary import count_parameters


def test_it_gives_log_probabilities_of_ten_classes():
    model = init_model(lambda: ResNet18(image_size=32), seed=1).eval()
    photos = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)
    outputs = model(photos)
    assert outputs.shape == (3, 10)
    torch.testing.assert_close(outputs.exp().sum(dim=1), torch.ones(3))


def test_it_is_torchvisions_with_another_classifier():
    others = count_parameters(resnet18(weights=None)) - (512 * 1000 + 1000)
    assert count_parameters(ResNet18(32)) == others + 512 * 10 + 10


def test_photographs_are_enlarged_to_the_size_that_was_asked_for():
    seen = []
    model = ResNet18(image_size=48).eval()
    model.net.conv1.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0].shape))
    model(torch.zeros(2, 32, 32, 3, dtype=torch.uint8))
    assert seen == [(2, 3, 48, 48)]
