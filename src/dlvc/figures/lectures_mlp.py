"""The pictures of lectures 24 and 25: update rules and optimizers of the MLP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlvc.figures.bands import Band, draw_bands
from dlvc.figures.charts import EXERCISE, Charts, band
from dlvc.figures.inline import Picture
from dlvc.figures.lectures_features import samples
from dlvc.figures.networks import CURVATURE, LEARNING_RATE, STEPS, optimizer_paths
from dlvc.figures.updates import (
    LOWEST,
    draw_all_updates,
    draw_last_updates,
    draw_paths,
    moving_points,
)

ACCURACY = "test accuracy"
LAST = 300  # updates in the chart of single losses
RULES = ("per_batch", "per_sample")


def update_rules(charts: Charts) -> list[Picture]:
    """Lecture 24."""
    evidence, names = charts.evidence, charts.lecture.names
    over_updates = [
        band(names[stage], evidence.curves(stage), "test_accuracy", {}, "updates")
        for stage in charts.lecture.printed
    ]
    images = evidence.about("per_epoch")["images"]
    return [
        samples(charts, "digits", "digits"),
        charts.bands(
            charts.printed("train_loss"),
            "The training loss of the three update rules over epochs. In each epoch, all rules use "
            "the same images.",
            xlabel="epoch", ylabel="training loss",
        ),
        charts.bands(
            charts.printed("test_accuracy"),
            "The test accuracy of the three update rules over epochs.",
            xlabel="epoch", ylabel=ACCURACY, percent=True,
        ),
        charts.bands(
            over_updates,
            "The test accuracy of the three update rules over updates. Per epoch, the rule makes a "
            "single update where the others make many.",
            xlabel="update", ylabel=ACCURACY, percent=True, logarithmic=True,
        ),
        *_update_losses(charts),
        *charts.exercise(
            "per_epoch", "test_accuracy",
            "Exercise: does one update per epoch reach the same accuracy as one per batch after "
            f"the same number of updates? Both rules train on {images:,} images.",
            {name: name for name in charts.trainings("per_epoch")},
            xlabel="update", ylabel=ACCURACY, percent=True, logarithmic=True,
        ),
        *charts.exercise(
            "per_sample", "test_accuracy",
            "Exercise: does one update per image need a lower learning rate than one per batch? "
            "The test accuracy per sample at several rates.",
            {name: f"per sample, {name}" for name in charts.trainings("per_sample")},
            xlabel="epoch", ylabel=ACCURACY, percent=True,
        ),
    ]  # fmt: skip


def _update_losses(charts: Charts) -> list[Picture]:
    """The loss of every update, and the single losses of the last ones."""
    losses: dict[str, NDArray[np.float64]] = {}
    jitter = {}
    epochs = {}
    for rule in RULES:
        name = rule.replace("_", " ")
        file = f"results/update_rules/{rule}/update_losses.npy"
        losses[name] = np.asarray(charts.evidence.array(file), dtype=np.float64)
        epochs[name] = charts.evidence.curves(f"update_rules@{rule}").epochs
        last = losses[name][-(len(losses[name]) // epochs[name]) :]  # the last epoch
        steps = np.abs(np.diff(last))
        jitter[name] = float(steps.mean() / last.mean()) if len(steps) else 0.0
    found = " and ".join(f"{value:.2f} {name}" for name, value in jitter.items())
    extremes = ", ".join(
        f"{name} from {values.min():.2g} to {values.max():.2g}" for name, values in losses.items()
    )
    count = min(LAST, *map(len, losses.values()))
    recent = {name: values[-count:] for name, values in losses.items()}
    return [
        charts.figure(
            draw_all_updates(losses, epochs),
            "The loss of every update, per batch and per sample. The line is the mean of many "
            "updates, and the band reaches from their smallest to their largest loss.",
            f"The loss of single updates, {extremes}.",
        ),
        charts.figure(
            draw_last_updates(recent),
            f"The losses of the last {count} updates, on a logarithmic scale. In the last epoch, "
            f"the mean step from one loss to the next, divided by the mean loss, is {found}. "
            f"Losses below {LOWEST} are drawn at {LOWEST}.",
            f"Mean step divided by mean loss: {found}.",
        ),
    ]


def optimizers(charts: Charts) -> list[Picture]:
    """Lecture 25."""
    axes: dict[str, Any] = {"xlabel": "epoch", "ylabel": ACCURACY, "percent": True}
    return [
        charts.bands(
            charts.printed("train_loss"),
            "The training loss of the three optimizers.",
            xlabel="epoch", ylabel="training loss",
        ),
        charts.bands(
            charts.printed("test_accuracy"),
            "The test accuracy of the three optimizers.", **axes,
        ),
        _paths(charts),
        *charts.exercise(
            "momentum", "test_accuracy",
            "Exercise: is momentum more than a larger learning rate? Momentum, SGD, and SGD at a "
            "rate that is 1 / (1 - μ) times as large.",
            {"SGD": "SGD", "larger rate": "SGD, larger rate", "momentum": "momentum"}, **axes,
        ),
        *_batch_sizes(charts),
        *charts.exercise(
            "sgd", "test_accuracy",
            "Exercise: how many epochs does SGD need to reach what Adam reaches in a few? The "
            "test accuracy of both.",
            {name: name for name in charts.trainings("sgd")}, **axes, logarithmic=True,
        ),
    ]  # fmt: skip


def _batch_sizes(charts: Charts) -> list[Picture]:
    """The last test accuracy over the learning rate, for each optimizer and batch size.

    These are the trainings of the first seed, without those that diverged.
    """
    exercise = charts.evidence.exercise("batch_sizes").complete()
    rates: dict[str, list[float]] = {}
    reached: dict[str, list[float]] = {}
    for curve in sorted(exercise, key=lambda curve: curve.training.split()[0]):
        if curve.seed == exercise.curves[0].seed:
            training, rate = curve.training.split(", rate ")  # such as "SGD 10, rate 0.1"
            rates.setdefault(training, []).append(float(rate))
            reached.setdefault(training, []).append(float(curve["test_accuracy"][-1]))
    if not reached:
        return []
    bands = [
        Band(name.replace(" ", ", batch of "), np.array(rates[name]), np.array([reached[name]]))
        for name in reached
    ]
    best = [f"{one.label} {100 * one.y.max():.1f} % at {one.x[one.y.argmax()]:g}" for one in bands]
    figure = draw_bands(
        bands, xlabel="learning rate", ylabel=ACCURACY, percent=True, logarithmic=True
    )
    epochs = f"{exercise.epochs} epoch" + "s" * (exercise.epochs > 1)
    caption = (
        "Exercise: does SGD work better than Adam in small batches? The test accuracy of both "
        f"optimizers after {epochs}, at several learning rates and numbers of images per batch, "
        "from the first seed. The other seeds train at the best rate of each curve."
    )
    return [charts.figure(figure, caption, f"At the best rates: {', '.join(best)}.", EXERCISE)]


def _paths(charts: Charts) -> Picture:
    """The paths of the optimizers in a valley, and a point that walks along each."""
    paths = optimizer_paths()
    ends = ", ".join(f"{name} ({x:.2f}, {y:.2f})" for name, (*_, (x, y)) in paths.items())
    figure = draw_paths(paths, CURVATURE)
    picture = charts.figure(
        figure,
        f"An illustration, not a result: {STEPS} steps of the three optimizers in a valley of two "
        f"weights, at a learning rate of {LEARNING_RATE}. SGD slows down on the flat floor, "
        "momentum overshoots and turns, and Adam takes steps of similar length in both directions. "
        "The cross is the minimum. The moving points take the same time for each step.",
        f"The minimum is at (0, 0). After {STEPS} steps: {ends}.",
    )
    return replace(
        picture, html=picture.html.replace("</svg>", moving_points(figure, paths) + "</svg>")
    )
