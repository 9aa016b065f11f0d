"""The contracts of each stage, in the order of the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dlvc.arrays.dataset import DIGIT_SHAPE, PHOTO_SHAPE
from dlvc.checks.contract import Contracts
from dlvc.checks.images import dataset, features, figures, schema
from dlvc.checks.report import costs, exercise, report
from dlvc.checks.training import TrainingContract, kernels, layers, training, update_rule

if TYPE_CHECKING:
    from torch import nn

DIGITS, PHOTOS, FEATURES = "data/digits", "data/photos", "data/features"


# The models import torch, which takes seconds, so the imports are inside the functions.
def perceptron(_params: Mapping[str, Any], classes: int) -> nn.Module:
    """Lecture 5's perceptron on nine features."""
    from dlvc.models.perceptron import Perceptron

    return Perceptron(9, classes)


def mlp(_params: Mapping[str, Any], classes: int) -> nn.Module:
    """The MLP of lectures 24 and 25."""
    from dlvc.models.mlp.network import MLP

    return MLP(classes)


def lenet(_params: Mapping[str, Any], classes: int) -> nn.Module:
    """Lecture 29's LeNet."""
    from dlvc.models.lenet import LeNet

    return LeNet(classes)


def densenet(params: Mapping[str, Any], classes: int) -> nn.Module:
    """Lecture 40's DenseNet-121."""
    from dlvc.models.densenet import DenseNet121

    return DenseNet121(params["densenet.image_size"], classes)


PERCEPTRON = TrainingContract(FEATURES, perceptron, "perceptron", None, lecture_scale=True)
PER_EPOCH = TrainingContract(DIGITS, mlp, "update_rules.per_epoch", None)
PER_BATCH = TrainingContract(DIGITS, mlp, "update_rules.per_batch", "batch_size")
PER_SAMPLE = TrainingContract(DIGITS, mlp, "update_rules.per_sample", 1)
OPTIMIZER = TrainingContract(DIGITS, mlp, "optimizers", "batch_size")
LENET = TrainingContract(DIGITS, lenet, "lenet", "batch_size", lecture_scale=True)
DENSENET = TrainingContract(PHOTOS, densenet, "densenet", "batch_size", lecture_scale=True)

CONTRACTS: Contracts = MappingProxyType(
    {
        "params": schema(),
        "digits": dataset(DIGIT_SHAPE),
        "photos": dataset(PHOTO_SHAPE),
        "features": features(PHOTOS),
        "perceptron": training(PERCEPTRON),
        "update_rules@per_epoch": update_rule(PER_EPOCH),
        "update_rules@per_batch": update_rule(PER_BATCH),
        "update_rules@per_sample": update_rule(PER_SAMPLE),
        "optimizers@sgd": training(OPTIMIZER),
        "optimizers@momentum": training(OPTIMIZER),
        "optimizers@adam": training(OPTIMIZER),
        "lenet": training(LENET) + layers() + kernels("conv1", "conv2"),
        "densenet": training(DENSENET) + layers() + kernels("conv0", "denselayer1_conv1"),
        "claims@perceptron": exercise(),
        "claims@per_epoch": exercise(),
        "claims@per_sample": exercise(),
        "claims@batch_sizes": exercise(),
        "claims@sgd": exercise(),
        "claims@momentum": exercise(),
        "claims@lenet": exercise("conv1.npy"),
        "claims@lenet_sgd": exercise(),
        "claims@resnet": exercise(),
        "costs": costs(),
        "figures": figures(),
        "report": report(),
    }
)
