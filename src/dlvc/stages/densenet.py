"""Lecture 40: DenseNet-121 learns photographs. Writes results/densenet/."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from torch import Tensor
from torch.nn import functional as F

from dlvc.models.densenet import DenseNet121
from dlvc.params.reader import read_params
from dlvc.training.load import load_images
from dlvc.training.optimizers import Adam
from dlvc.training.results import save_kernels, save_layers, save_training
from dlvc.training.runtime import prepare_runtime
from dlvc.training.trainer import Trainer, seeds_from
from dvcview.files.artifacts import read_json
from dvcview.tracking import stage_run

PHOTOS = Path("data/photos")
RESULTS = Path("results/densenet")
DISTRIBUTED = True  # `runtime.processes` processes train it together


def kernels(model: DenseNet121) -> dict[str, Tensor]:
    """The kernels that the lecture shows: conv0 in RGB `(64, 7, 7, 3)`, and output channel 0 of
    denselayer1's first 1x1 convolution over its inputs `(64, 1, 1)`."""
    return {
        "conv0": model.conv0.permute(0, 2, 3, 1),
        "denselayer1_conv1": model.denselayer1_conv1[0],
    }


def main() -> None:
    """Read parameters, load, train, save."""
    params = read_params()
    settings = params.densenet
    runtime = prepare_runtime(params.runtime)
    is_main = runtime.group.is_main_process

    summary = read_json(PHOTOS / "summary.json")
    classes = len(summary["classes"])
    train, test = load_images(PHOTOS, runtime.device)
    trainer = Trainer(
        partial(DenseNet121, settings.image_size, classes, settings.initialisation),
        F.nll_loss,
        partial(Adam, learning_rate=settings.learning_rate),
        train,
        test,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        runtime=runtime,
    )
    logged = params.select("runtime", "densenet")
    with stage_run("densenet", RESULTS, logged, device=runtime.device, silent=not is_main) as run:
        trained = trainer.fit_seeds(
            seeds_from(settings.seed, settings.seeds), "densenet", logged, run.log_metrics
        )
        if not is_main:
            return
        model = trained[0].model
        save_training(RESULTS, trained, summary, lecture_scale=True)
        save_layers(RESULTS, model, test.images[:1])
        save_kernels(RESULTS, kernels(trainer.init_model(settings.seed)), kernels(model))
