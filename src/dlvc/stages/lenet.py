"""Lecture 29: LeNet learns digits. Leaves results/lenet/."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from dlvc.artifacts import read_json, write_figure
from dlvc.data.dataset import open_dataset
from dlvc.figures.kernels import draw_kernels
from dlvc.learning.checkpoints import Checkpoint
from dlvc.learning.loop import fit
from dlvc.learning.optimizers import Adam
from dlvc.learning.progress import follow
from dlvc.learning.runtime import prepare_runtime
from dlvc.learning.samples import Samples
from dlvc.models.initialise import initialise
from dlvc.models.lenet import LeNet
from dlvc.params import read_params
from dlvc.results import save_layers, save_training
from dlvc.tracking import stage_run

DIGITS = Path("data/digits")
RESULTS = Path("results/lenet")


def kernels(model: LeNet) -> tuple[Tensor, Tensor]:
    """What the lecture looks at: conv1 `(6, 5, 5)`, and conv2's kernel 0, by inputs `(6, 5, 5)`."""
    conv1 = model.conv1.weight[:, 0].detach().cpu().clone()
    return conv1, model.conv2.weight[0].detach().cpu().clone()


def main() -> None:
    """Parse, load, train, save."""
    params = read_params()
    settings = params.lenet
    runtime = prepare_runtime(params.runtime)

    digits, summary = open_dataset(DIGITS), read_json(DIGITS / "summary.json")
    train = Samples.of(digits.train_images, digits.train_labels, runtime.device)
    test = Samples.of(digits.test_images, digits.test_labels, runtime.device)

    model = runtime.prepare(initialise(LeNet, settings.seed))
    before = kernels(model)

    logged = params.select("runtime", "lenet")
    with (
        stage_run("lenet", RESULTS, logged, device=runtime.device) as run,
        Checkpoint("lenet", logged) as checkpoint,
    ):
        epochs = fit(
            model,
            F.nll_loss,
            Adam(model.parameters(), settings.learning_rate),
            train,
            test,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            generator=torch.Generator().manual_seed(settings.seed),
            checkpoint=checkpoint,
        )
        curve = follow(epochs, run.log_epoch)
        save_training(RESULTS, model, curve, summary, title="LeNet", lecture_scale=True)
        save_layers(RESULTS, model, test.images[:1])
        for name, old, new in zip(("conv1", "conv2"), before, kernels(model), strict=True):
            write_figure(RESULTS / f"{name}.png", draw_kernels(old.numpy(), new.numpy(), name))
