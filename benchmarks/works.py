"""The pieces of work that are timed, ours as our stages have them.

The lectures' are here where a process of its own has to find them by name.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import lecture_loops
from benchmarks.measure import Work
from dlvc.arrays.dataset import Dataset
from dlvc.data.bundled import bundled_digits, bundled_photos
from dlvc.data.mnist import load_mnist
from dlvc.features import extract
from dlvc.models.densenet import DenseNet121
from dlvc.models.lenet import LeNet
from dlvc.models.mlp import per_sample
from dlvc.models.mlp.network import MLP
from dlvc.params.schema import Runtime as Settings
from dlvc.training.initialization import init_model
from dlvc.training.loop import fit, train_one_epoch
from dlvc.training.optimizers import SGD, Adam, Optimizer
from dlvc.training.runtime import Runtime, prepare_runtime
from dlvc.training.samples import EpochState, Samples

CPU = torch.device("cpu")
DENSENET_UPDATES = 3
SAMPLE_UPDATES = 3000  # of the lecture's 60,000: they would take minutes
LAYERS = ((784, 400), (400, 256), (256, 10))  # of the MLP: inputs and outputs


def runtime() -> Runtime:
    """As params.yaml is committed, and not as it may stand there: float32, two threads."""
    return prepare_runtime(
        Settings(
            device="cpu",
            threads=2,
            processes=1,
            precision="float32",
            memory_format="channels_last",
            compile=False,
            reproducible="machine",
        )
    )


def digits() -> Dataset:
    """MNIST where `DLVC_MIRROR` has it, else as many bundled digits."""
    mirror = os.environ.get("DLVC_MIRROR")
    if mirror:
        with tempfile.TemporaryDirectory() as raw:
            return load_mnist(Path(raw), mirror)
    return bundled_digits(train=60_000, test=1000, seed=1)


def ours(
    data: Dataset,
    build: Callable[[], nn.Module],
    loss: Callable[[Tensor, Tensor], Tensor],
    rule: Callable[..., Optimizer],
    *,
    batch_size: int,
    accumulate: bool = False,
) -> Work:
    """One epoch and one test, as our stages have them."""
    train = Samples.from_numpy(data.train_images, data.train_labels, CPU)
    test = Samples.from_numpy(data.test_images, data.test_labels, CPU)
    model = runtime().prepare(init_model(build, seed=1))
    optimizer = rule(model.parameters())

    def one_epoch() -> None:
        for _ in fit(
            model, loss, optimizer, train, test, epochs=1, batch_size=batch_size,
            generator=torch.Generator().manual_seed(1), accumulate=accumulate,
        ):  # fmt: skip
            pass

    return one_epoch


def bare_products(data: Dataset) -> Work:
    """The matrix products that an epoch of the MLP cannot do without, and nothing else."""
    train, test = len(data.train_labels) // 100, len(data.test_labels) // 100
    x = [torch.rand(100, inputs) for inputs, _ in LAYERS]
    w = [torch.rand(outputs, inputs) for inputs, outputs in LAYERS]
    d = [torch.rand(100, outputs) for _, outputs in LAYERS]

    def multiply() -> None:
        for batch in range(train + test):
            for layer in range(3):
                x[layer] @ w[layer].T
                if batch < train:
                    d[layer].T @ x[layer]
                    if layer:
                        d[layer] @ w[layer]

    return multiply


def train_densenet(photos: Dataset, precision: torch.dtype | None) -> Work:
    """Updates of DenseNet-121 at 224 px, as our stage has them."""
    samples = Samples.from_numpy(photos.train_images, photos.train_labels, CPU)
    model = init_model(lambda: DenseNet121(224), seed=1)
    model = replace(runtime(), autocast_dtype=precision).prepare(model)
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(1))
    order = order[: 32 * DENSENET_UPDATES]
    rule = Adam(model.parameters(), 1e-4)
    return lambda: list(
        train_one_epoch(model, F.nll_loss, rule, samples, EpochState.start(order, 32))
    )


def lecture_per_epoch(data: Dataset) -> Work:
    """What the lecture's notebook holds at once."""
    return lambda: lecture_loops.once_an_epoch(data)


def ours_per_epoch(data: Dataset) -> Work:
    """What we hold at once."""
    descent = partial(SGD, learning_rate=0.1)
    return ours(data, MLP, F.cross_entropy, descent, batch_size=1000, accumulate=True)


def ours_per_sample(data: Dataset) -> Work:
    """One epoch of updates image by image, without a test."""
    samples = Samples.from_numpy(data.train_images, data.train_labels, CPU)
    model = init_model(MLP, seed=1)
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(1))
    rule = SGD(model.parameters(), 0.01)
    return lambda: list(
        per_sample.train_one_epoch(
            model, F.cross_entropy, rule, samples, EpochState.start(order, 1)
        )
    )


def train_mlp() -> Work:
    """Three epochs of lecture 24's MLP on 6,000 bundled digits."""
    data = bundled_digits(train=6000, test=1000, seed=1)
    descent = partial(SGD, learning_rate=0.1)
    one_epoch = ours(data, MLP, F.cross_entropy, descent, batch_size=100)
    return lambda: [one_epoch() for _ in range(3)]


def train_lenet() -> Work:
    """An epoch of LeNet on 6,000 bundled digits."""
    data = bundled_digits(train=6000, test=1000, seed=1)
    rule = partial(Adam, learning_rate=1e-4)
    return ours(data, LeNet, F.nll_loss, rule, batch_size=100)


def train_small_densenet() -> Work:
    """An epoch of DenseNet-121 on 320 bundled photographs at 32 px."""
    data = bundled_photos(train=320, test=100, seed=1)
    rule = partial(Adam, learning_rate=1e-4)
    return ours(data, partial(DenseNet121, 32), F.nll_loss, rule, batch_size=32)


def extract_file(path: Path, number: int) -> Work:
    """The features of the first images of a file."""
    images = np.load(path, mmap_mode="r")
    if number < len(images):
        images = np.memmap(path, np.uint8, "r", images.offset, (number, *images.shape[1:]))
    extract(images[:1])  # what Numba compiled is loaded
    return lambda: extract(images)
