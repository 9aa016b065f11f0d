"""`python -m benchmarks.lenet_variants`: whether a variant has the losses that lecture 29 prints.

Trains variants of LeNet for nine epochs, from the first seed of the stage `lenet` and on the images
in data/digits. Prints a table in Markdown: our loss divided by the printed loss, in the epochs 2 to
9. The table in docs/results.md is from MNIST, after a run of the profile `laptop`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from dlvc.evidence.lectures import printed_figures, read_lectures
from dlvc.models.lenet import IMAGE_SIZE, LeNet
from dlvc.models.preprocessing import enlarge, unit_interval
from dlvc.params.reader import read_params
from dlvc.training.load import load_images
from dlvc.training.loop import NoCheckpoints
from dlvc.training.optimizers import Adam
from dlvc.training.runtime import prepare_runtime
from dlvc.training.samples import Samples
from dlvc.training.trainer import Trainer

Layer = Callable[[Tensor], Tensor]


class Variant(LeNet):
    """LeNet with other functions between its layers."""

    def __init__(
        self,
        pool: Callable[[Tensor, int], Tensor] = F.max_pool2d,
        after_convolutions: Layer = F.relu,
        after_linear: Layer = F.relu,
    ) -> None:
        super().__init__()
        self.pool = pool
        self.after_convolutions = after_convolutions
        self.after_linear = after_linear

    def forward(self, digits: Tensor) -> Tensor:
        """As `LeNet.forward`."""
        x = enlarge(unit_interval(digits).unsqueeze(1), IMAGE_SIZE)
        for convolution in (self.conv1, self.conv2):
            x = self.after_convolutions(self.pool(convolution(x), 2))
        x = x.flatten(1)
        for linear in (self.fc1, self.fc2):
            x = self.after_linear(linear(x))
        return F.log_softmax(self.fc3(x), dim=1)


def identity(x: Tensor) -> Tensor:
    """No function."""
    return x


def pad(digits: Tensor) -> Tensor:
    """Digits `(N, 28, 28)` with two zeros on each side."""
    return F.pad(digits, (2, 2, 2, 2))


def resize(digits: Tensor, how: Image.Resampling) -> Tensor:
    """Digits as Pillow resizes them, rounded to whole gray values."""
    size = (IMAGE_SIZE, IMAGE_SIZE)
    return torch.stack(
        [
            torch.from_numpy(np.array(Image.fromarray(digit).resize(size, how)))
            for digit in digits.numpy()
        ]
    )


BILINEAR = partial(resize, how=Image.Resampling.BILINEAR)
NEAREST = partial(resize, how=Image.Resampling.NEAREST)
LINEAR_CONVOLUTIONS = partial(Variant, after_convolutions=identity)
# Each has a model, a function of the images, and whether they are shuffled.
VARIANTS: dict[str, tuple[Callable[[], LeNet], Layer, bool]] = {
    "as in this course": (LeNet, identity, True),
    "images in the order of their file": (LeNet, identity, False),
    "zero padding to 32 × 32 px, instead of resizing": (LeNet, pad, True),
    "resized with Pillow (bilinear) and rounded to whole gray values": (LeNet, BILINEAR, True),
    "resized to the nearest pixel": (LeNet, NEAREST, True),
    "resized to the nearest pixel, in the order of their file": (LeNet, NEAREST, False),
    "average pooling": (partial(Variant, F.avg_pool2d), identity, True),
    "no ReLU after the convolutions": (LINEAR_CONVOLUTIONS, identity, True),
    "no ReLU between the linear layers": (partial(Variant, after_linear=identity), identity, True),
    "tanh instead of ReLU": (
        partial(Variant, after_convolutions=torch.tanh, after_linear=torch.tanh),
        identity,
        True,
    ),
    "zero padding, in the order of their file": (LeNet, pad, False),
    "no ReLU after the convolutions, zero padding": (LINEAR_CONVOLUTIONS, pad, True),
    "no ReLU after the convolutions, in the order of their file": (
        LINEAR_CONVOLUTIONS,
        identity,
        False,
    ),
    "no ReLU after the convolutions, zero padding, in the order of their file": (
        LINEAR_CONVOLUTIONS,
        pad,
        False,
    ),
}


def main() -> None:
    """Train each variant, and print a row."""
    params = read_params()
    settings, runtime = params.lenet, prepare_runtime(params.runtime)
    lecture = printed_figures(read_lectures(Path("lectures.yaml")))["lenet"]
    printed = lecture["train_loss_lecture_scale"]
    datasets = load_images(Path("data/digits"), runtime.device)
    print(f"| variant | {' | '.join(f'epoch {epoch}' for epoch in printed)} |")
    print("|---" * (1 + len(printed)) + "|")
    for name, (model_fn, change, shuffle) in VARIANTS.items():
        train, test = (Samples(change(each.images), each.labels) for each in datasets)
        trainer = Trainer(
            model_fn,
            F.nll_loss,
            partial(Adam, learning_rate=settings.learning_rate),
            train,
            test,
            epochs=max(printed),
            batch_size=settings.batch_size,
            runtime=runtime,
            shuffle=shuffle,
        )
        _, curve = trainer.fit_iter(settings.seed, NoCheckpoints())
        ours = {result.epoch: result.train_loss_lecture_scale for result in curve}
        ratios = " | ".join(f"{ours[epoch] / loss:.2f}" for epoch, loss in printed.items())
        print(f"| {name} | {ratios} |", flush=True)


if __name__ == "__main__":
    main()
