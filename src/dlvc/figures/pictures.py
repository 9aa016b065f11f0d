"""Draws the pictures of data, features and trainings from the outs of their stages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlvc.arrays.array_files import read_npy, read_pickle
from dlvc.arrays.dataset import open_dataset
from dlvc.evidence.curves import read_columns
from dlvc.evidence.lectures import read_lectures
from dlvc.evidence.outs import Evidence, read_confusion
from dlvc.figures.confusion import draw_confusion
from dlvc.figures.contact_sheet import draw_contact_sheet
from dlvc.figures.curves import draw_curves, draw_updates
from dlvc.figures.features import draw_feature_maps, draw_features_by_class
from dlvc.figures.gallery import Sources, save
from dlvc.figures.kernels import draw_kernels
from dvcview.files.artifacts import read_json, write_json

LECTURES = Path("lectures.yaml")
FIGURES = Path("figures")
FEATURES = Path("data/features")
RESULTS = Path("results")
TRAININGS = {
    "perceptron": "Perceptron",
    "update_rules/per_epoch": "MLP, one update per epoch",
    "update_rules/per_batch": "MLP, one update per batch",
    "update_rules/per_sample": "MLP, one update per sample",
    "optimizers/sgd": "MLP by SGD",
    "optimizers/momentum": "MLP by SGD with momentum",
    "optimizers/adam": "MLP by Adam",
    "lenet": "LeNet",
    "densenet": "DenseNet-121",
}


def draw_images(name: str) -> Sources:
    """A contact sheet of the digits or the photographs."""
    folder = Path("data") / name
    data = open_dataset(folder)
    sheet = draw_contact_sheet(data.train_images, data.train_labels, data.classes)
    files = (folder / f"{array}.npy" for array in ("train_images", "train_labels"))
    return save(FIGURES / f"images/{name}/contact_sheet.png", sheet, *files)


def draw_maps() -> Sources:
    """The texture maps of one photograph."""
    classes = read_json(FEATURES / "summary.json")["classes"]
    labels = FEATURES / "trainLabel.pkl"
    files = [FEATURES / f"maps/{name}.npy" for name in ("image", "lbp", "glcm", "gabor")]
    image, lbp, glcm, gabor = map(read_npy, files)
    title = f"Texture of one photograph: {classes[read_pickle(labels)[0]]}"
    figure = draw_feature_maps(image, lbp, glcm, gabor, title=title)
    return save(FIGURES / "features/maps.png", figure, *files, labels)


def draw_features() -> Sources:
    """Each feature by class."""
    classes = read_json(FEATURES / "summary.json")["classes"]
    files = [FEATURES / name for name in ("train_unnormalised.npy", "trainLabel.pkl", "scale.json")]
    features, labels, names = read_npy(files[0]), read_pickle(files[1]), list(read_json(files[2]))
    figure = draw_features_by_class(features, labels, names, classes)
    return save(FIGURES / "features/by_class.png", figure, *files)


def draw_training(training: str) -> Sources:
    """The loss, the accuracy and the confusion matrix of a training."""
    file, confusion = (RESULTS / training / name for name in ("curves.csv", "confusion.csv"))
    folder, title = FIGURES / "trainings" / training, TRAININGS[training]
    columns = read_columns(file)
    epochs = [int(epoch) for epoch in columns["epoch"]]
    sources: Sources = {}
    for quantity, label in (("loss", "mean loss per sample"), ("accuracy", "accuracy")):
        series = {part: columns[f"{part}_{quantity}"].tolist() for part in ("train", "test")}
        figure = draw_curves(epochs, series, ylabel=label, title=title)
        sources |= save(folder / f"{quantity}.png", figure, file)
    classes, counts = read_confusion(confusion)
    figure = draw_confusion(counts, classes, title=f"{title}: test images")
    return sources | save(folder / "confusion.png", figure, confusion)


def draw_update_losses(rule: str) -> Sources:
    """The loss of each update."""
    file = RESULTS / f"update_rules/{rule}/update_losses.npy"
    title = TRAININGS[f"update_rules/{rule}"]
    figure = draw_updates(read_npy(file), rule.replace("_", " "), title)
    return save(FIGURES / f"updates/{rule}/update_losses.png", figure, file)


def draw_kernel_pair(kernels: str) -> Sources:
    """Kernels before and after training."""
    file = RESULTS / f"{kernels}.npy"
    before, after = read_npy(file)
    figure = draw_kernels(before, after, file.stem)
    return save(FIGURES / f"kernels/{kernels}.png", figure, file)


def draw_report(params: Mapping[str, Any]) -> Sources:
    """The report's charts, as HTML; no run of another stage shows them."""
    from dlvc.figures.report_charts import draw_charts  # imports torch, unlike the other pictures

    evidence = Evidence(Path(), params, {}, {})
    write_json(FIGURES / "charts.json", draw_charts(evidence, read_lectures(LECTURES)))
    return {}
