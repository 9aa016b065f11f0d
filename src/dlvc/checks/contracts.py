"""The contract of each stage, in stage order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dlvc.checks.images import dataset, features, schema
from dlvc.checks.report import costs, exercise, report
from dlvc.checks.training import Training, kernels, layers, training, update_losses
from dlvc.data.dataset import DIGIT_SHAPE, PHOTO_SHAPE
from dvcview.project.lockfile import StageState
from dvcview.verify.contract import Contract, Outs
from dvcview.verify.manifest import Inventory
from dvcview.verify.problem import Problem
from dvcview.verify.repair import Repairs

if TYPE_CHECKING:
    from torch import nn

DIGITS, PHOTOS, FEATURES = "data/digits", "data/photos", "data/features"


# The models import torch, which costs seconds: only where there are weights to compare.
def perceptron(_params: Mapping[str, Any]) -> nn.Module:
    """Lecture 5's, on nine features."""
    from dlvc.models.perceptron import Perceptron

    return Perceptron(n_features=9)


def mlp(_params: Mapping[str, Any]) -> nn.Module:
    """Lectures 24's and 25's."""
    from dlvc.models.mlp.network import MLP

    return MLP()


def lenet(_params: Mapping[str, Any]) -> nn.Module:
    """Lecture 29's."""
    from dlvc.models.lenet import LeNet

    return LeNet()


def densenet(params: Mapping[str, Any]) -> nn.Module:
    """Lecture 40's."""
    from dlvc.models.densenet import DenseNet121

    return DenseNet121(params["densenet.image_size"])


PERCEPTRON = Training(FEATURES, perceptron, "perceptron", None, lecture_scale=True)
PER_EPOCH = Training(DIGITS, mlp, "update_rules.per_epoch", None)
PER_BATCH = Training(DIGITS, mlp, "update_rules.per_batch", "batch_size")
PER_SAMPLE = Training(DIGITS, mlp, "update_rules.per_sample", 1)
OPTIMIZER = Training(DIGITS, mlp, "optimizers", "batch_size")
LENET = Training(DIGITS, lenet, "lenet", "batch_size", lecture_scale=True)
DENSENET = Training(PHOTOS, densenet, "densenet", "batch_size", lecture_scale=True)

CONTRACTS: Mapping[str, tuple[Contract, ...]] = MappingProxyType(
    {
        "params": schema(),
        "digits": dataset(DIGIT_SHAPE),
        "photos": dataset(PHOTO_SHAPE),
        "features": features(PHOTOS),
        "perceptron": training(PERCEPTRON),
        "update_rules@per_epoch": training(PER_EPOCH) + update_losses(),
        "update_rules@per_batch": training(PER_BATCH) + update_losses(),
        "update_rules@per_sample": training(PER_SAMPLE) + update_losses(),
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
        "claims@resnet": exercise(),
        "costs": costs(),
        "report": report(),
    }
)


def ready(
    states: Mapping[str, StageState], inventory: Inventory, sound: set[str]
) -> list[tuple[Contract, Outs]]:
    """The contracts whose files are all there, with the bytes that dvc.lock says."""
    return [
        (contract, outs)
        for stage, contracts in CONTRACTS.items()
        if stage in states
        for outs in [Outs(inventory.root, states[stage])]
        for contract in contracts
        if sound.issuperset(contract.files(outs))
    ]


def check_contracts(checks: list[tuple[Contract, Outs]], repairs: Repairs) -> Iterator[Problem]:
    """Files whose bytes are right and whose content is not what the stage promises."""
    for contract, outs in checks:
        for complaint in contract.complaints(outs):
            yield Problem(outs.name(contract.file), complaint, repairs.remake(outs.state.stage))
