import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dlvc.figures.diagram import densenet_blocks, lenet_blocks
from dlvc.figures.networks import (
    CURVATURE,
    LEARNING_RATE,
    START,
    STEPS,
    activations,
    load,
    optimizer_paths,
    predict,
)
from dlvc.models.lenet import LeNet
from dlvc.training.weights import write_weights
from dvcview.files.artifacts import read_csv
from tests.imports import ROOT

LAYERS = ROOT / "docs/laptop/results"
DIGITS = np.random.default_rng(0).integers(0, 256, (7, 28, 28), dtype=np.uint8)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return LeNet().eval()


def test_the_maps_are_those_that_the_network_computes(model):
    *_, last = activations(model, DIGITS[0]).values()
    with torch.no_grad():
        x = F.relu(model.fc1(torch.from_numpy(last).flatten()[None]))
        x = model.fc3(F.relu(model.fc2(x)))
        expected = model(torch.from_numpy(DIGITS[:1]))
    torch.testing.assert_close(F.log_softmax(x, dim=1), expected)


def test_every_stage_names_its_shape(model):
    for name, maps in activations(model, DIGITS[0]).items():
        assert name.endswith("×".join(map(str, maps.shape)))


def test_predictions_are_the_most_probable_classes(model, tmp_path):
    write_weights(tmp_path / "weights.safetensors", model.state_dict())
    found = predict(load(LeNet(), tmp_path / "weights.safetensors"), DIGITS)
    with torch.no_grad():
        probability = model(torch.from_numpy(DIGITS)).exp().numpy()
    assert (found.classes == probability.argmax(1)).all()
    np.testing.assert_allclose(found.probability, probability.max(1), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        ("SGD", lambda w: torch.optim.SGD([w], lr=LEARNING_RATE)),
        ("momentum", lambda w: torch.optim.SGD([w], lr=LEARNING_RATE, momentum=0.9)),
        ("Adam", lambda w: torch.optim.Adam([w], lr=LEARNING_RATE)),
    ],
)
def test_the_paths_are_those_of_torch(name, optimizer):
    w = torch.nn.Parameter(torch.tensor(START))
    steps = optimizer(w)
    for _ in range(STEPS):
        w.grad = torch.tensor(CURVATURE) * w.detach()
        steps.step()
    path = optimizer_paths()[name]
    assert path[0].tolist() == pytest.approx(list(START))
    assert path[-1].tolist() == pytest.approx(w.tolist(), abs=1e-4)


def test_lenets_boxes_have_all_parameters():
    blocks = lenet_blocks(read_csv(LAYERS / "lenet/layers.csv"), 32)
    assert [block.name for block in blocks] == ["input", "conv1", "conv2", "fc1", "fc2", "fc3"]
    assert blocks[0].shape == (1, 32, 32)
    assert sum(block.parameters for block in blocks) == 61_706


def test_densenets_boxes_have_the_shapes_and_parameters_of_its_blocks():
    blocks = densenet_blocks(read_csv(LAYERS / "densenet/layers.csv"))
    assert {block.name: block.shape for block in blocks} == {
        "stem": (64, 8, 8), "block 1 (6)": (256, 8, 8), "trans. 1": (128, 4, 4),
        "block 2 (12)": (512, 4, 4), "trans. 2": (256, 2, 2), "block 3 (24)": (1024, 2, 2),
        "trans. 3": (512, 1, 1), "block 4 (16)": (1024, 1, 1), "norm5": (1024, 1, 1),
        "classifier": (10,),
    }  # fmt: skip
    assert sum(block.parameters for block in blocks) == 6_964_106
