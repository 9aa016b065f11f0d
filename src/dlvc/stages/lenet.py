"""Lecture 29: LeNet learns digits. Writes results/lenet/."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from torch import Tensor
from torch.nn import functional as F

from dlvc.models.lenet import LeNet
from dlvc.params.reader import read_params
from dlvc.training.load import load_images
from dlvc.training.optimizers import Adam
from dlvc.training.results import save_kernels, save_layers, save_training
from dlvc.training.runtime import prepare_runtime
from dlvc.training.trainer import Trainer, seeds_from
from dvcview.files.artifacts import read_json
from dvcview.tracking import stage_run

DIGITS = Path("data/digits")
RESULTS = Path("results/lenet")
DISTRIBUTED = True  # `runtime.processes` processes train it together


def kernels(model: LeNet) -> dict[str, Tensor]:
    """The kernels that the lecture shows: conv1 `(6, 5, 5)`, and kernel 0 of conv2 `(6, 5, 5)`."""
    return {"conv1": model.conv1.weight[:, 0], "conv2": model.conv2.weight[0]}


def main() -> None:
    """Read parameters, load, train, save."""
    params = read_params()
    settings = params.lenet
    runtime = prepare_runtime(params.runtime)
    is_main = runtime.group.is_main_process

    summary = read_json(DIGITS / "summary.json")
    classes = len(summary["classes"])
    train, test = load_images(DIGITS, runtime.device)
    trainer = Trainer(
        partial(LeNet, classes),
        F.nll_loss,
        partial(Adam, learning_rate=settings.learning_rate),
        train,
        test,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        runtime=runtime,
    )
    logged = params.select("runtime", "lenet")
    with stage_run("lenet", RESULTS, logged, device=runtime.device, silent=not is_main) as run:
        trained = trainer.fit_seeds(
            seeds_from(settings.seed, settings.seeds), "lenet", logged, run.log_metrics
        )
        if not is_main:
            return
        model = trained[0].model
        save_training(RESULTS, trained, summary, lecture_scale=True)
        save_layers(RESULTS, model, test.images[:1])
        save_kernels(RESULTS, kernels(trainer.init_model(settings.seed)), kernels(model))
