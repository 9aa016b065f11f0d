"""`python -m benchmarks.never_predicted`: which classes lecture 5's perceptron never predicts.

Lecture 5 prints a test accuracy of exactly 0. That is the accuracy if every test image has the
label of one class, and the model predicts this class for none of them (docs/results.md explains
where such labels come from). This program repeats the stage `perceptron` on data/features, from all
its seeds, and prints for each class how many of the models predict it for no test image.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch

from dlvc.models.perceptron import Perceptron, one_hot_mse
from dlvc.params.reader import read_params
from dlvc.training.initialization import init_model
from dlvc.training.load import load_features
from dlvc.training.loop import fit
from dlvc.training.optimizers import SGD
from dlvc.training.trainer import seeds_from
from dvcview.files.artifacts import read_json

FEATURES = Path("data/features")


def main() -> None:
    """Train from every seed, and print a line per class."""
    settings = read_params().perceptron
    classes = read_json(FEATURES / "summary.json")["classes"]
    train, test = load_features(FEATURES, torch.device("cpu"))
    predictions = []
    for seed in seeds_from(settings.seed, settings.seeds):
        model = init_model(partial(Perceptron, train.images.shape[1], len(classes)), seed)
        *_, last = fit(
            model, one_hot_mse, SGD(model.parameters(), settings.learning_rate), train, test,
            epochs=settings.epochs, batch_size=settings.batch_size,
            generator=torch.Generator().manual_seed(seed), accumulate=True,
        )  # fmt: skip
        predictions.append(last.test.confusion.sum(axis=0))  # rows are true classes
    never = (np.array(predictions) == 0).sum(axis=0)
    for name, count in zip(classes, never, strict=True):
        print(f"{name}: predicted for no test image by {count} of {len(predictions)} models")


if __name__ == "__main__":
    main()
