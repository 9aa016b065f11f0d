"""The pictures of lectures 3 and 5: photographs, their features, and the perceptron."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlvc.arrays.array_files import read_npy, read_pickle
from dlvc.arrays.dataset import open_dataset
from dlvc.evidence.outs import read_confusion
from dlvc.figures.charts import STORY, Charts, band
from dlvc.figures.inline import Picture
from dlvc.figures.panels import (
    MOST_CLASSES,
    draw_class_means,
    draw_maps,
    draw_matrix,
    draw_projection,
    draw_samples,
)
from dvcview.files.artifacts import read_json

PER_CLASS = 10  # images in a row of samples


def samples(charts: Charts, name: str, what: str) -> Picture:
    """The first images of each class of a data set."""
    data = open_dataset(charts.evidence.root / "data" / name)
    shown = min(len(data.classes), MOST_CLASSES)
    of_classes = _of_classes(data.classes)
    return charts.drawing(
        draw_samples(data.train_images, data.train_labels, data.classes, PER_CLASS),
        f"The first {what} {of_classes}. The training set has {len(data.train_images):,} of them.",
        f"{shown} rows of {what}: {', '.join(data.classes[:shown])}.",
    )


def _of_classes(classes: Sequence[str]) -> str:
    """Which classes a picture shows that has no room for many."""
    if len(classes) <= MOST_CLASSES:
        return "of each class"
    return f"of the first {MOST_CLASSES} of {len(classes)} classes"


def confusion(charts: Charts, stage: str, name: str) -> Picture:
    """The confusion matrix of a training."""
    classes, counts = read_confusion(charts.evidence.root / f"results/{stage}/confusion.csv")
    wrong = counts - np.diag(np.diag(counts))
    true, predicted = np.unravel_index(int(wrong.argmax()), wrong.shape)
    most = (
        f" The most frequent error is {classes[int(true)]}, predicted as "
        f"{classes[int(predicted)]}: {wrong.max():,} images."
    )
    return charts.drawing(
        draw_matrix(counts, classes),
        f"Which classes {name} confuses: the test images by their true class (rows) and their "
        "predicted class (columns). Correct predictions lie on the diagonal.",
        f"{np.trace(counts):,} of {counts.sum():,} test images lie on the diagonal."
        + (most if wrong.any() else ""),
        STORY,
    )


def features(charts: Charts) -> list[Picture]:
    """Lecture 3."""
    root = charts.evidence.root / "data/features"
    classes = charts.evidence.images("photos")["classes"]
    labels = read_pickle(root / "trainLabel.pkl")
    names = [
        name.replace("_", " ")
        .replace("lbp", "LBP")
        .replace("glcm", "GLCM")
        .replace("gabor", "Gabor")
        for name in read_json(root / "scale.json")
    ]
    normalised = np.asarray(read_pickle(root / "trainFeats.pkl"), dtype=np.float64)
    image, lbp, glcm, gabor = (
        read_npy(root / f"maps/{name}.npy") for name in ("image", "lbp", "glcm", "gabor")
    )
    projection, share = draw_projection(normalised, labels, classes)
    means = draw_class_means(read_npy(root / "train_unnormalised.npy"), labels, names, classes)
    return [
        samples(charts, "photos", "photographs"),
        charts.drawing(
            draw_maps(image, lbp, glcm, gabor),
            f"One photograph ({classes[labels[0]]}) and the three maps that its nine features "
            "summarise.",
            f"A photograph of {image.shape[1]} by {image.shape[0]} pixels. Its LBP map has "
            f"{len(np.unique(lbp))} codes, and its Gabor energy goes from {gabor.min():.3g} to "
            f"{gabor.max():.3g}.",
        ),
        charts.drawing(
            means,
            "Each feature's mean in each class, in standard deviations from its mean over all "
            "training images. A feature separates the classes whose colours differ.",
            f"A table of {len(classes)} classes by {len(names)} features: "
            f"{', '.join(names)}.",
            STORY,
        ),
        charts.drawing(
            projection,
            "The nine normalised features, projected on their first two principal components. Each "
            f"panel shows all training images in gray, and in blue those {_of_classes(classes)}.",
            f"The two components have {100 * share:.0f} % of the variance of "
            "the features. Classes whose blue areas overlap cannot be separated in this plane.",
            STORY,
        ),
    ]  # fmt: skip


def perceptron(charts: Charts) -> list[Picture]:
    """Lecture 5."""
    curves = charts.evidence.curves("perceptron")
    printed = charts.lecture.printed["perceptron"]
    accuracies = [
        band(f"{part} images", curves, column, printed[column], "epoch")
        for part, column in (("training", "train_accuracy"), ("test", "test_accuracy"))
    ]
    rates = {name: name for name in charts.trainings("perceptron")}
    return [
        charts.scaled_loss(
            "perceptron",
            "The perceptron's training loss on the lecture's scale: the sum of the batch means, "
            "divided by the number of images.",
        ),
        charts.bands(
            accuracies, "The perceptron's accuracy on the training images and on the test images.",
            xlabel="epoch", ylabel="accuracy", percent=True,
        ),
        confusion(charts, "perceptron", "the perceptron"),
        *charts.exercise(
            "perceptron", "train_loss",
            "Exercise: is 10 a good learning rate for the perceptron? Its training loss at "
            f"{len(rates)} rates.",
            rates, xlabel="epoch", ylabel="training loss", logarithmic=True,
        ),
    ]  # fmt: skip
