"""The exercises that the lectures' claims depend on. Writes results/claims/<exercise>/."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from dlvc.arrays.array_files import write_npy
from dlvc.arrays.dataset import describe
from dlvc.params.reader import read_params
from dvcview.errors import UserError
from dvcview.files.artifacts import read_json, write_csv, write_json
from dvcview.tracking import stage_run

FEATURES, DIGITS, PHOTOS = Path("data/features"), Path("data/digits"), Path("data/photos")
RESULTS = Path("results/claims")
IMAGES = {
    "perceptron": FEATURES,
    "per_epoch": DIGITS,
    "per_sample": DIGITS,
    "batch_sizes": DIGITS,
    "sgd": DIGITS,
    "momentum": DIGITS,
    "lenet": DIGITS,
    "lenet_sgd": DIGITS,
    "resnet": PHOTOS,
}
VARIANTS = tuple(IMAGES)


def main(exercise: str) -> None:
    """Read parameters, load, train, save."""
    params = read_params()
    settings = getattr(params.claims, exercise)
    summary = read_json(IMAGES[exercise] / "summary.json")
    stage, folder = f"claims@{exercise}", RESULTS / exercise
    logged = params.select("runtime", f"claims.{exercise}")
    about = {
        "data": describe(summary),
        "images": min(settings.images, summary["train"]["images"]),
        "epochs": settings.epochs,
    }
    if settings.epochs == 0:  # the exercise is switched off and need not wait for torch
        with stage_run(stage, folder, logged):
            write_json(folder / "about.json", {**about, "diverged": []})
        return

    from dlvc.exercises.trainings import Trainings, subset
    from dlvc.training.load import load_features, load_images
    from dlvc.training.runtime import computed_with, prepare_runtime
    from dlvc.training.trainer import seeds_from

    runtime = prepare_runtime(params.runtime)
    if exercise == "per_sample":
        runtime = runtime.for_single_samples()
    load = load_features if IMAGES[exercise] == FEATURES else load_images
    train, test = load(IMAGES[exercise], runtime.device)
    train = subset(train, settings.images, settings.seed)
    with stage_run(stage, folder, logged, device=runtime.device):
        trainings = Trainings(
            stage,
            logged,
            seeds_from(settings.seed, settings.seeds),
            runtime,
            train,
            test,
            classes=len(summary["classes"]),
        )
        import_module(f"dlvc.exercises.{exercise}").train(settings, trainings)
        if not trainings.rows:
            raise UserError(
                f"claims.{exercise}: every training diverged in its first epoch; lower its "
                "learning rates in params.yaml"
            )
        write_csv(folder / "trainings.csv", trainings.rows)
        for name, array in trainings.arrays.items():
            write_npy(folder / f"{name}.npy", array)
        about |= {"diverged": trainings.diverged, "computed": computed_with(runtime.device)}
        write_json(folder / "about.json", about)
