"""Lecture 24c without torch: forward pass, backward pass and update for one image at a time.

With a batch of one, torch spends more time between its operations than in them. Its matrix products
become products of a matrix and a vector, whose speed is limited by memory access. The code here
skips zeros, which are four fifths of a digit's pixels and half of the hidden units after ReLU.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from dlvc.models.mlp.network import MLP
from dlvc.training.evaluation import LossFunction
from dlvc.training.optimizers import SGD
from dlvc.training.process_group import SINGLE_PROCESS, ProcessGroup
from dlvc.training.samples import EpochState, Samples

AT_A_TIME = 10_000  # images between two yields, which take a third of a second
Vector = NDArray[np.float32]
Matrix = NDArray[np.float32]


def train_one_epoch(
    model: nn.Module,
    loss_function: LossFunction,
    optimizer: object,
    samples: Samples,
    training: EpochState,
    *,
    accumulate: bool = False,
    group: ProcessGroup = SINGLE_PROCESS,
) -> Iterator[None]:
    """Train for one epoch like `dlvc.training.loop.train_one_epoch`, with batches of one image.

    Losses and weights are the same, except for the order of summation. The computation runs on the
    CPU even if there is a GPU, because one image is too little work for a GPU. Yields after every
    `AT_A_TIME` images.

    Raises:
        TypeError: the model is not an `MLP`, the loss is not the cross entropy, the optimizer is
            not `SGD` without momentum, gradients are accumulated, the batch size is not 1, or
            several processes train.
    """
    if (
        not isinstance(model, MLP)
        or not (type(optimizer) is SGD and optimizer.momentum == 0)
        or loss_function is not F.cross_entropy
        or accumulate
        or training.batch_size != 1
        or group != SINGLE_PROCESS
    ):
        raise TypeError(
            "per-sample training requires an MLP, F.cross_entropy, SGD without momentum, no "
            "accumulation, a batch size of 1 and a single process"
        )
    images = samples.images.flatten(1).numpy()  # (N, 784) uint8
    labels, rate = samples.labels.numpy(), np.float32(optimizer.learning_rate)
    order, losses = training.indices.numpy(), training.losses.numpy()
    predicted = training.predicted.numpy()
    layers = [model.fc1, model.fc2, model.fc3]
    # With one row per input, the row of an input that is zero can be skipped.
    w1, w2, w3 = (np.ascontiguousarray(layer.weight.detach().numpy().T) for layer in layers)
    b1, b2, b3 = (layer.bias.detach().numpy() for layer in layers)

    training.classes = len(b3)
    while not training.is_complete:
        part = slice(training.batch_index, min(training.batch_index + AT_A_TIME, training.batches))
        _train(
            images, labels, order[part], rate, w1, w2, w3, b1, b2, b3, losses[part], predicted[part]
        )
        for layer, weight in zip(layers, (w1, w2, w3), strict=True):
            layer.weight.detach().copy_(torch.from_numpy(weight.T))
        training.batch_index = part.stop
        yield


@njit(nogil=True, cache=True)
def _train(
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    indices: NDArray[np.int64],
    rate: np.float32,
    w1: Matrix,
    w2: Matrix,
    w3: Matrix,
    b1: Vector,
    b2: Vector,
    b3: Vector,
    losses: Vector,
    predicted: NDArray[np.int64],
) -> None:
    """Update weights `(inputs, outputs)` and biases after each image.

    Fills `losses` and `predicted` with the loss and the predicted class of each image before its
    update.

    Forward, where h₀ are pixels:   h₁ = relu(h₀ w₁ + b₁), h₂ = relu(h₁ w₂ + b₂), s = h₂ w₃ + b₃,
                                    J = log Σ exp s − s_label.
    Backward, where δ is the derivative of J with respect to a layer's output before its ReLU:
                                    δ₃ = softmax(s) − [label], δₖ = (wₖ₊₁ δₖ₊₁) [hₖ > 0].
    Update:                         wₖ ← wₖ − η hₖ₋₁ᵀ δₖ, bₖ ← bₖ − η δₖ.
    """
    h0, h1, h2 = np.empty_like(w1[:, 0]), np.empty_like(b1), np.empty_like(b2)
    scores = np.empty_like(b3)
    d1, d2, d3 = np.empty_like(b1), np.empty_like(b2), np.empty_like(b3)
    for n in range(len(indices)):
        image, label = images[indices[n]], labels[indices[n]]
        for k in range(len(h0)):
            h0[k] = np.float32(image[k]) / np.float32(255)
        _forward(h0, w1, b1, h1)
        _relu(h1)
        _forward(h1, w2, b2, h2)
        _relu(h2)
        _forward(h2, w3, b3, scores)

        predicted[n] = np.argmax(scores)
        largest = float(scores.max())
        total = 0.0
        for k in range(len(scores)):
            total += math.exp(scores[k] - largest)
        losses[n] = math.log(total) - (scores[label] - largest)
        for k in range(len(scores)):
            d3[k] = math.exp(scores[k] - largest) / total - (k == label)

        _backward(h2, w3, d3, d2, rate)
        _backward(h1, w2, d2, d1, rate)
        for i in range(len(h0)):
            if h0[i] != 0:
                _add(w1[i], -rate * h0[i], d1)
        _add(b1, -rate, d1)
        _add(b2, -rate, d2)
        _add(b3, -rate, d3)


@njit(nogil=True, cache=True)
def _forward(h: Vector, w: Matrix, b: Vector, out: Vector) -> None:
    """out = h w + b."""
    out[:] = b
    for i in range(len(h)):
        if h[i] != 0:
            _add(out, h[i], w[i])


@njit(nogil=True, cache=True)
def _relu(h: Vector) -> None:
    for k in range(len(h)):
        h[k] = max(h[k], np.float32(0))


@njit(nogil=True, cache=True)
def _backward(h: Vector, w: Matrix, d: Vector, d_previous: Vector, rate: np.float32) -> None:
    """Compute δ of the previous layer, and update the rows of w whose input h is > 0."""
    for i in range(len(h)):
        d_previous[i] = 0
        if h[i] > 0:
            d_previous[i] = _dot(w[i], d)
            _add(w[i], -rate * h[i], d)


@njit(nogil=True, cache=True)
def _add(out: Vector, factor: np.float32, vector: Vector) -> None:
    """out ← out + factor · vector."""
    for k in range(len(out)):
        out[k] += factor * vector[k]


@njit(nogil=True, cache=True, fastmath={"reassoc"})  # reassoc permits a vectorised sum
def _dot(a: Vector, b: Vector) -> np.float32:
    total = np.float32(0)
    for k in range(len(a)):
        total += a[k] * b[k]
    return total
