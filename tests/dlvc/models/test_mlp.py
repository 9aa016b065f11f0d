import numpy as np
import torch

from dlvc.models.mlp.network import MLP
from dlvc.training.initialization import init_model
from dlvc.training.summary import count_parameters


def test_it_has_the_parameters_of_784_400_256_10():
    expected = 784 * 400 + 400 + 400 * 256 + 256 + 256 * 10 + 10
    assert count_parameters(MLP()) == expected == 419_226


def test_its_scores_are_those_of_numpy_in_float64():
    model = init_model(MLP, seed=24)
    digits = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    weights = {name: value.double().numpy() for name, value in model.state_dict().items()}

    hidden = digits.reshape(5, 784) / 255.0
    for layer in ("fc1", "fc2"):
        hidden = np.maximum(hidden @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"], 0)
    expected = hidden @ weights["fc3.weight"].T + weights["fc3.bias"]

    scores = model(torch.from_numpy(digits)).detach().numpy()
    assert scores.shape == (5, 10)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)
