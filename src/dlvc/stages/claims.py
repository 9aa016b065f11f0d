"""What the lectures leave to do, and what their claims need. Leaves results/claims/<exercise>/."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlvc.exercises.lenet import train_long
from dlvc.exercises.mlp import (
    train_batch_sizes,
    train_momentum,
    train_per_epoch,
    train_per_sample,
    train_sgd,
)
from dlvc.exercises.perceptron import train_at_rates
from dlvc.exercises.resnet import train_resnet
from dlvc.exercises.trainings import Trainings, some
from dlvc.params.reader import read_params
from dlvc.training.load import load_features, load_images
from dlvc.training.results import describe
from dlvc.training.runtime import computed_with, prepare_runtime
from dvcview.files.artifacts import read_json, write_csv, write_json, write_npy
from dvcview.tracking import stage_run

FEATURES, DIGITS, PHOTOS = Path("data/features"), Path("data/digits"), Path("data/photos")
RESULTS = Path("results/claims")
EXERCISES: dict[str, tuple[Path, Callable[[Any, Trainings], None]]] = {
    "perceptron": (FEATURES, train_at_rates),
    "per_epoch": (DIGITS, train_per_epoch),
    "per_sample": (DIGITS, train_per_sample),
    "batch_sizes": (DIGITS, train_batch_sizes),
    "sgd": (DIGITS, train_sgd),
    "momentum": (DIGITS, train_momentum),
    "lenet": (DIGITS, train_long),
    "resnet": (PHOTOS, train_resnet),
}
VARIANTS = tuple(EXERCISES)


def main(exercise: str) -> None:
    """Parse, load, train, save."""
    params = read_params()
    settings = getattr(params.claims, exercise)
    runtime = prepare_runtime(params.runtime)
    if exercise == "per_sample":
        runtime = runtime.one_by_one()
    if exercise == "lenet":
        runtime = runtime.channels_first()
    images, train_all = EXERCISES[exercise]

    summary = read_json(images / "summary.json")
    load = load_features if images == FEATURES else load_images
    train, test = load(images, runtime.device)
    train = some(train, settings.images, settings.seed)

    stage, folder = f"claims@{exercise}", RESULTS / exercise
    logged = params.select("runtime", f"claims.{exercise}")
    with stage_run(stage, folder, logged, device=runtime.device):
        trainings = Trainings(stage, logged, settings.all_seeds, runtime, train, test)
        if settings.epochs:
            train_all(settings, trainings)
            write_csv(folder / "trainings.csv", trainings.rows)
        for name, array in trainings.arrays.items():
            write_npy(folder / f"{name}.npy", array)
        about = {
            "data": describe(summary),
            "images": len(train),
            "epochs": settings.epochs,
            "diverged": trainings.diverged,
            "computed": computed_with(runtime.device),
        }
        write_json(folder / "about.json", about)
