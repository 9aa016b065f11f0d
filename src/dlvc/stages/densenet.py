"""Lecture 40: DenseNet-121 learns photographs. Leaves results/densenet/."""

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
from dlvc.models.densenet import DenseNet121
from dlvc.models.initialise import initialise
from dlvc.params import read_params
from dlvc.results import save_layers, save_training
from dlvc.tracking import stage_run

PHOTOS = Path("data/photos")
RESULTS = Path("results/densenet")


def kernels(model: DenseNet121) -> tuple[Tensor, Tensor]:
    """What the lecture looks at: conv0 in RGB `(64, 7, 7, 3)`, and of denselayer1's first 1x1
    convolution the output channel 0, over its inputs `(64, 1, 1)`."""
    conv0 = model.conv0.detach().cpu().permute(0, 2, 3, 1)
    return conv0.clone(), model.denselayer1_conv1[0].detach().cpu().clone()


def main() -> None:
    """Parse, load, train, save."""
    params = read_params()
    settings = params.densenet
    runtime = prepare_runtime(params.runtime)

    photos, summary = open_dataset(PHOTOS), read_json(PHOTOS / "summary.json")
    train = Samples.of(photos.train_images, photos.train_labels, runtime.device)
    test = Samples.of(photos.test_images, photos.test_labels, runtime.device)

    model = runtime.prepare(initialise(lambda: DenseNet121(settings.image_size), settings.seed))
    before = kernels(model)

    logged = params.select("runtime", "densenet")
    with (
        stage_run("densenet", RESULTS, logged, device=runtime.device) as run,
        Checkpoint("densenet", logged) as checkpoint,
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
        save_training(
            RESULTS,
            model,
            curve,
            summary,
            title="DenseNet-121",
            lecture_scale=True,
        )
        save_layers(RESULTS, model, test.images[:1])
        for name, old, new in zip(
            ("conv0", "denselayer1_conv1"), before, kernels(model), strict=True
        ):
            write_figure(RESULTS / f"{name}.png", draw_kernels(old.numpy(), new.numpy(), name))
