import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import densenet121
from torchvision.transforms.functional import to_tensor

from dlvc.models.densenet import DenseNet121
from dlvc.training.initialization import init_model
from dlvc.training.summary import count_parameters


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """On a busy machine many small convolutions wait for their slowest thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def model() -> DenseNet121:
    return init_model(lambda: DenseNet121(image_size=32), seed=40).eval()


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)


def test_it_has_torchvision_s_parameters_but_for_the_classifier(model):
    """The lecture's 7,978,856 for 1000 classes; 1024 · 1000 + 1000 of them are the classifier's."""
    assert count_parameters(densenet121()) == 7_978_856
    assert count_parameters(model) == 7_978_856 - (1024 * 1000 + 1000) + (1024 * 10 + 10)
    assert count_parameters(model) == 6_964_106


def test_its_outputs_are_log_probabilities(model, photos):
    with torch.no_grad():
        outputs = model(torch.from_numpy(photos))
    assert outputs.shape == (2, 10)
    torch.testing.assert_close(outputs.exp().sum(dim=1), torch.ones(2))


def test_it_computes_what_torchvision_s_does_with_the_same_weights(model, photos):
    theirs = densenet121(num_classes=10).eval()
    theirs.load_state_dict(model.net.state_dict())
    images = torch.stack([to_tensor(photo) for photo in photos])  # (2, 3, 32, 32)
    with torch.no_grad():
        expected = theirs(images).log_softmax(dim=1)
        found = model(torch.from_numpy(photos))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_its_kernels_are_those_that_the_lecture_looks_at(model):
    assert model.conv0.shape == (64, 3, 7, 7)
    assert model.denselayer1_conv1.shape == (128, 64, 1, 1)
    state = model.state_dict()
    assert torch.equal(model.conv0, state["net.features.conv0.weight"])
    assert torch.equal(
        model.denselayer1_conv1, state["net.features.denseblock1.denselayer1.conv1.weight"]
    )


def test_the_lecture_s_initial_weights_are_those_of_pytorch_0_3(model):
    """Each weight and bias of a convolution or of the classifier is uniform in ±1/sqrt(fan-in), and
    each scale of batch normalization is uniform in [0, 1)."""
    scales = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = 1 / math.sqrt(module.weight[0].numel())
            for values in (module.weight, module.bias):
                if values is not None:
                    check_uniform(values.detach() / bound, -1, 1)
        elif isinstance(module, nn.BatchNorm2d):
            assert not module.bias.any()
            scales.append(module.weight.detach())
    assert len(scales) == 121
    check_uniform(torch.cat(scales), 0, 1)
    assert model.conv0.std().item() == pytest.approx(0.048, abs=0.001)  # 1/sqrt(3 · 7 · 7)/sqrt(3)


def check_uniform(values: torch.Tensor, low: float, high: float) -> None:
    """Values of a uniform distribution lie in its range, and their distribution function is
    nowhere further from a straight line than chance allows.

    Kolmogorov-Smirnov: a distance of 2.5/sqrt(n) or more has a probability of 8e-6.
    """
    shares = (values.flatten().double().sort().values - low) / (high - low)
    assert shares[0] >= 0
    assert shares[-1] <= 1 + 1e-6  # float32
    expected = (torch.arange(len(shares)) + 0.5) / len(shares)
    assert (shares - expected).abs().max() < 2.5 / math.sqrt(len(shares))


def test_torchvision_s_initial_weights_are_those_of_its_own_densenet():
    ours, theirs = (
        init_model(model_fn, seed=40)
        for model_fn in (lambda: DenseNet121(32, initialisation="torchvision"), densenet121)
    )
    expected = theirs.features.state_dict()
    found = ours.net.features.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert ours.conv0.std().item() == pytest.approx(0.116, abs=0.003)  # sqrt(2 / (3 · 7 · 7))
    scales = [m.weight for m in ours.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(torch.equal(scale, torch.ones_like(scale)) for scale in scales)


def test_photographs_are_enlarged_as_red_green_and_blue_planes():
    model = init_model(lambda: DenseNet121(image_size=48), seed=40).eval()
    seen = []
    model.net.register_forward_pre_hook(lambda _net, inputs: seen.append(inputs[0]))
    photos = torch.zeros(2, 32, 32, 3, dtype=torch.uint8)
    photos[..., 1] = 51  # green
    with torch.no_grad():
        model(photos)
    expected = torch.zeros(2, 3, 48, 48)
    expected[:, 1] = 0.2
    torch.testing.assert_close(seen[0], expected)
