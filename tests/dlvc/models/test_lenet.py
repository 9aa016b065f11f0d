import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from scipy.special import log_softmax

from benchmarks.lenet_variants import VARIANTS, Variant
from dlvc.models.lenet import LeNet
from dlvc.training.initialization import init_model
from dlvc.training.summary import count_parameters


@pytest.fixture(scope="module")
def model() -> LeNet:
    return init_model(LeNet, seed=29)


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (4, 28, 28), dtype=np.uint8)


def bilinear(image: np.ndarray, size: int) -> np.ndarray:
    """One axis after the other; a new pixel's middle lies between two old ones' middles."""
    for axis in (0, 1):
        old = image.shape[axis]
        places = (np.arange(size) + 0.5) * old / size - 0.5
        image = np.apply_along_axis(
            lambda line, places=places, old=old: np.interp(places, np.arange(old), line),
            axis,
            image,
        )
    return image


def convolve(maps: np.ndarray, kernels: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return np.stack(
        [
            sum(correlate2d(m, k, mode="valid") for m, k in zip(maps, kernel, strict=True)) + b
            for kernel, b in zip(kernels, bias, strict=True)
        ]
    )


def max_pool(maps: np.ndarray) -> np.ndarray:
    channels, height, width = maps.shape
    pooled = np.empty((channels, height // 2, width // 2))
    for c, row, column in np.ndindex(pooled.shape):
        pooled[c, row, column] = maps[c, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].max()
    return pooled


def test_its_log_probabilities_are_those_of_numpy_and_scipy_in_float64(model, digits):
    w = {name: value.double().numpy() for name, value in model.state_dict().items()}
    expected = []
    for digit in digits:
        maps = bilinear(digit / 255.0, 32)[None]
        for layer in ("conv1", "conv2"):
            maps = convolve(maps, w[f"{layer}.weight"], w[f"{layer}.bias"])
            maps = max_pool(np.maximum(maps, 0))
        assert maps.shape == (16, 5, 5)
        x = maps.reshape(400)
        for layer in ("fc1", "fc2"):
            x = np.maximum(w[f"{layer}.weight"] @ x + w[f"{layer}.bias"], 0)
        expected.append(log_softmax(w["fc3.weight"] @ x + w["fc3.bias"]))
    np.testing.assert_allclose(
        model(torch.from_numpy(digits)).detach().numpy(), expected, rtol=0, atol=2e-6
    )


def test_its_outputs_are_log_probabilities(model, digits):
    outputs = model(torch.from_numpy(digits))
    assert outputs.shape == (4, 10)
    assert (outputs < 0).all()
    torch.testing.assert_close(outputs.exp().sum(dim=1), torch.ones(4))


def test_it_has_the_parameters_counted_by_hand():
    assert count_parameters(LeNet()) == 156 + 2416 + 48120 + 10164 + 850 == 61706


def test_the_variants_of_the_benchmark_differ_only_as_they_say(model, digits):
    """With LeNet's own functions they are LeNet, and with others they are not."""
    images = torch.from_numpy(digits)
    expected = model(images)
    same = Variant()
    same.load_state_dict(model.state_dict())
    torch.testing.assert_close(same(images), expected, rtol=0, atol=0)
    for name, (model_fn, change, _shuffle) in VARIANTS.items():
        variant = model_fn()
        variant.load_state_dict(model.state_dict())
        is_same = torch.equal(variant(change(images)), expected)
        assert is_same == (name in ("as in this course", "images in the order of their file"))
