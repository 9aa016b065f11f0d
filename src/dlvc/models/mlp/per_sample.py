"""Lecture 24c written out: forward, backward and an update for one image at a time.

With a batch of one, torch spends more time between its operations than in them, and its matrix
products become products of a matrix and a vector, which only move memory. Written out, what is
zero need not be touched: four fifths of a digit's pixels, and half of the hidden units after ReLU.
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
from dlvc.training.optimizers import GradientDescent
from dlvc.training.process_group import ALONE, World
from dlvc.training.samples import Pass, Samples

AT_A_TIME = 10_000  # images: a third of a second
Vector = NDArray[np.float32]
Matrix = NDArray[np.float32]


def train_one_epoch(
    model: nn.Module,
    loss_function: LossFunction,
    optimizer: object,
    samples: Samples,
    training: Pass,
    *,
    accumulate: bool = False,
    world: World = ALONE,
) -> Iterator[None]:
    """What `dlvc.training.loop.train_one_epoch` does, for an `MLP` and batches of one image.

    The same losses and weights but for the order in which sums are taken. On the CPU, whatever
    else there is: one image is too little work for a GPU. Yields after `AT_A_TIME` images.
    """
    if (
        not isinstance(model, MLP)
        or type(optimizer) is not GradientDescent
        or loss_function is not F.cross_entropy
        or accumulate
        or training.batch_size != 1
        or world != ALONE
    ):
        raise TypeError("written out is an MLP's cross entropy and gradient descent by one image")
    images = samples.images.flatten(1).numpy()  # (N, 784) uint8
    labels, rate = samples.labels.numpy(), np.float32(optimizer.learning_rate)
    order, losses = training.order.numpy(), training.losses.numpy()
    predicted = training.predicted.numpy()
    layers = [model.fc1, model.fc2, model.fc3]
    # With a row for each input, an input that is zero is a row that is left out.
    w1, w2, w3 = (np.ascontiguousarray(layer.weight.detach().numpy().T) for layer in layers)
    b1, b2, b3 = (layer.bias.detach().numpy() for layer in layers)

    training.classes = len(b3)
    while not training.is_complete:
        part = slice(training.done, min(training.done + AT_A_TIME, training.batches))
        _descend(
            images, labels, order[part], rate, w1, w2, w3, b1, b2, b3, losses[part], predicted[part]
        )
        for layer, weight in zip(layers, (w1, w2, w3), strict=True):
            layer.weight.detach().copy_(torch.from_numpy(weight.T))
        training.done = part.stop
        yield


@njit(nogil=True, cache=True)
def _descend(
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

    `losses` and `predicted` are filled with what was said of each image before its update.

    Forward, h₀ being the pixels:   h₁ = relu(h₀ w₁ + b₁), h₂ = relu(h₁ w₂ + b₂), s = h₂ w₃ + b₃,
                                    J = log Σ exp s − s_label.
    Backward, δ being ∂J/∂ of what a layer puts out before its ReLU:
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
def _backward(h: Vector, w: Matrix, d: Vector, d_before: Vector, rate: np.float32) -> None:
    """δ of the layer before, and then the update of w, row by row of the inputs h that are > 0."""
    for i in range(len(h)):
        d_before[i] = 0
        if h[i] > 0:
            d_before[i] = _dot(w[i], d)
            _add(w[i], -rate * h[i], d)


@njit(nogil=True, cache=True)
def _add(out: Vector, factor: np.float32, vector: Vector) -> None:
    """out ← out + factor · vector."""
    for k in range(len(out)):
        out[k] += factor * vector[k]


@njit(nogil=True, cache=True, fastmath={"reassoc"})  # or the sum could not be taken in vectors
def _dot(a: Vector, b: Vector) -> np.float32:
    total = np.float32(0)
    for k in range(len(a)):
        total += a[k] * b[k]
    return total
