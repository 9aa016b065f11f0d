"""The files of a training, for a model and epochs that were made by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from dlvc.models.lenet import LeNet
from dlvc.training.initialization import init_model
from dlvc.training.metrics import EpochResult, Evaluation, confusion_matrix
from dlvc.training.results import TRUE_CLASS, save_kernels, save_layers, save_training
from dlvc.training.runtime import computed_with
from dlvc.training.trainer import Trained

LABELS = np.array([0, 0, 0, 1, 1, 2, 2])  # of 7 test images


def evaluation(loss: float, predicted: list[int]) -> Evaluation:
    correct = predicted == LABELS
    return Evaluation(
        loss, correct.sum() / 7, confusion_matrix(LABELS, predicted, classes=3), correct
    )


CURVE = [
    EpochResult(
        epoch=1,
        updates=3,
        train_loss=2.0,
        train_accuracy=0.3,
        test=evaluation(1.5, [0, 1, 2, 1, 0, 0, 2]),
        batch_losses=np.array([2.5, 2.0, 1.0], dtype=np.float32),
        samples=25,
    ),
    EpochResult(
        epoch=2,
        updates=6,
        train_loss=1.1,
        train_accuracy=0.6,
        test=evaluation(0.1 + 0.2, [0, 0, 1, 1, 1, 0, 2]),
        batch_losses=np.array([1.25, 1.0, 0.5], dtype=np.float32),
        samples=25,
    ),
]
SUMMARY = {"name": "three things", "stand_in_for": "CIFAR-10", "classes": ["cat", "dög", "a, b"]}


def linear() -> nn.Linear:
    return init_model(lambda: nn.Linear(4, 3), seed=1)


def trained(*seeds: int) -> list[Trained[nn.Linear]]:
    return [Trained(seed, linear(), CURVE) for seed in seeds or (7,)]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module", params=[False, True], ids=["mean", "lecture scale"])
def lecture_scale(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture(scope="module")
def left(lecture_scale: bool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a training has left."""
    folder = tmp_path_factory.mktemp("project") / "results/linear"
    save_training(folder, trained(), SUMMARY, lecture_scale=lecture_scale)
    return folder


def test_a_training_leaves_these_files(left):
    assert sorted(path.name for path in left.iterdir()) == [
        "confusion.csv",
        "curves.csv",
        "metrics.json",
        "seeds.csv",
        "weights.safetensors",
    ]


def test_the_curve_has_one_row_an_epoch_and_the_lectures_scale_stands_beside_the_mean(
    left, lecture_scale
):
    """The lectures have the sum of the batches' losses over the samples: 5.5 / 25, 2.75 / 25."""
    expected = [
        "epoch,updates,train_loss,train_accuracy,test_loss,test_accuracy",
        "1,3,2.0,0.3,1.5,0.42857142857142855",
        "2,6,1.1,0.6,0.30000000000000004,0.7142857142857143",
    ]
    if lecture_scale:
        columns = ["train_loss_lecture_scale", "0.22", "0.11"]
        expected = [f"{row},{column}" for row, column in zip(expected, columns, strict=True)]
    assert (left / "curves.csv").read_text().splitlines() == expected


def test_every_seed_has_its_curve_behind_its_number(tmp_path):
    save_training(tmp_path, trained(7, 8), SUMMARY)
    header, *curve = (tmp_path / "curves.csv").read_text().splitlines()
    expected = [f"seed,{header}", *(f"{seed},{row}" for seed in (7, 8) for row in curve)]
    assert (tmp_path / "seeds.csv").read_text().splitlines() == expected


def test_kernels_are_kept_as_numbers(tmp_path):
    before, after = torch.zeros(2, 3, 3), torch.ones(2, 3, 3, requires_grad=True)
    save_kernels(tmp_path, {"conv1": before}, {"conv1": after})
    pair = np.load(tmp_path / "conv1.npy")
    assert pair.dtype == np.float32
    assert np.array_equal(pair, np.stack([np.zeros((2, 3, 3)), np.ones((2, 3, 3))]))


def test_the_metrics_are_the_last_epoch_the_parameters_and_the_data(left, lecture_scale):
    expected = {
        "epoch": 2,
        "updates": 6,
        "train_loss": 1.1,
        "train_accuracy": 0.6,
        "test_loss": 0.1 + 0.2,
        "test_accuracy": 5 / 7,
        "parameters": 4 * 3 + 3,
        "data": "three things, a stand-in for CIFAR-10",
        "computed": computed_with(torch.device("cpu")),
    }
    if lecture_scale:
        expected["train_loss_lecture_scale"] = 0.11
    assert json.loads((left / "metrics.json").read_text(encoding="utf-8")) == expected


def test_data_that_stand_in_for_nothing_are_named_only(tmp_path):
    summary = SUMMARY | {"name": "MNIST", "stand_in_for": None}
    save_training(tmp_path, trained(), summary)
    assert json.loads((tmp_path / "metrics.json").read_text())["data"] == "MNIST"


def test_the_confusion_is_the_last_epoch_s_and_counts_each_test_image_once(left):
    table = rows(left / "confusion.csv")
    assert table == [  # LABELS down, the second epoch's classes across
        {TRUE_CLASS: "cat", "cat": "2", "dög": "1", "a, b": "0"},
        {TRUE_CLASS: "dög", "cat": "0", "dög": "2", "a, b": "0"},
        {TRUE_CLASS: "a, b", "cat": "1", "dög": "0", "a, b": "1"},
    ]
    assert sum(int(row[name]) for row in table for name in SUMMARY["classes"]) == len(LABELS)


def test_the_weights_are_the_model_s(left):
    weights = load_file(left / "weights.safetensors")
    assert weights.keys() == {"weight", "bias"}
    assert torch.equal(weights["weight"], linear().weight)
    assert torch.equal(weights["bias"], linear().bias)


def test_the_same_training_leaves_the_same_bytes(left, lecture_scale, tmp_path):
    save_training(tmp_path, trained(), SUMMARY, lecture_scale=lecture_scale)
    for path in left.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_lenet_s_layers_are_those_counted_by_hand(tmp_path):
    """5*5*1*6 + 6 = 156, 5*5*6*16 + 16 = 2416, 400*120 + 120, 120*84 + 84, 84*10 + 10."""
    save_layers(tmp_path, LeNet(), torch.zeros(1, 28, 28, dtype=torch.uint8))
    assert (tmp_path / "layers.csv").read_text().splitlines() == [
        "layer,type,output_shape,parameters",
        "conv1,Conv2d,6x28x28,156",
        "conv2,Conv2d,16x10x10,2416",
        "fc1,Linear,120,48120",
        "fc2,Linear,84,10164",
        "fc3,Linear,10,850",
    ]
    assert sum(int(row["parameters"]) for row in rows(tmp_path / "layers.csv")) == 61706
