"""Pictures that need torch: what LeNet computes for a digit, and the optimizers on a surface."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from dlvc.models.lenet import IMAGE_SIZE, LeNet
from dlvc.models.preprocessing import enlarge, unit_interval
from dlvc.training.optimizers import SGD, Adam, Optimizer
from dlvc.training.weights import read_weights

CURVATURE = (1.0, 12.0)  # of the valley along x and y
START = (-2.2, 1.0)
LEARNING_RATE = 0.05
STEPS = 60
BATCH = 100  # images


@dataclass(frozen=True)
class Predictions:
    """The most probable class and its probability, (N,), for each image."""

    classes: NDArray[np.int64]
    probability: NDArray[np.float64]


Model = TypeVar("Model", bound=nn.Module)


def load(model: Model, weights: Path) -> Model:
    """A trained model, ready for predictions."""
    torch.set_num_threads(1)  # the pictures are few, and other pictures are drawn at this time
    model.load_state_dict(read_weights(weights))
    return model.eval()


@torch.no_grad()
def predict(model: nn.Module, images: NDArray[np.uint8]) -> Predictions:
    """The predictions for images; the model returns log-probabilities."""
    batches = [
        model(torch.from_numpy(np.array(images[start : start + BATCH]))).exp()
        for start in range(0, len(images), BATCH)
    ]
    probability, classes = torch.cat(batches).max(dim=1)
    return Predictions(classes.numpy(), probability.double().numpy())


@torch.no_grad()
def activations(model: LeNet, digit: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """The feature maps (K, h, w) of a digit (28, 28) after each convolution and pooling."""
    x = enlarge(unit_interval(torch.from_numpy(np.array(digit))[None, None]), IMAGE_SIZE)
    conv1 = model.conv1(x)
    pool1 = F.relu(F.max_pool2d(conv1, 2))
    conv2 = model.conv2(pool1)
    pool2 = F.relu(F.max_pool2d(conv2, 2))
    maps = {
        "the digit": x, "conv1": conv1, "pooling and ReLU": pool1, "conv2": conv2,
        "second pooling and ReLU": pool2,
    }  # fmt: skip
    return {
        f"{name}: {'×'.join(map(str, value.shape[1:]))}": value[0].numpy()
        for name, value in maps.items()
    }


def valley(w: Tensor) -> Tensor:
    """The loss J(x, y) = (a x² + b y²) / 2 with the `CURVATURE` a and b."""
    return (torch.tensor(CURVATURE) * w**2).sum() / 2


def optimizer_paths() -> dict[str, NDArray[np.float32]]:
    """The way (STEPS + 1, 2) of each optimizer down the valley, by name."""
    paths = {}
    for name in ("SGD", "momentum", "Adam"):
        w = nn.Parameter(torch.tensor(START))
        optimizer: Optimizer = (
            Adam([w], LEARNING_RATE)
            if name == "Adam"
            else SGD([w], LEARNING_RATE, momentum=0.9 if name == "momentum" else 0.0)
        )
        path = [w.detach().clone()]
        for _ in range(STEPS):
            optimizer.zero_grad()
            valley(w).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            path.append(w.detach().clone())
        paths[name] = torch.stack(path).numpy()
    return paths
