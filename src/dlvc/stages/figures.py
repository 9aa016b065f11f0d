"""Draws every picture of data, features and trainings from their outs. Writes figures/.

Pictures are apart from numbers: a new colour runs this stage again, and no training.
"""

from __future__ import annotations

from pathlib import Path

from dlvc.data.dataset import open_dataset
from dlvc.evidence.lectures import read_lectures
from dlvc.evidence.outs import Evidence, read_columns, read_confusion
from dlvc.figures.charts import draw_charts
from dlvc.figures.confusion import draw_confusion
from dlvc.figures.curves import draw_curves, draw_updates
from dlvc.figures.features import draw_feature_maps, draw_features_by_class
from dlvc.figures.gallery import Gallery
from dlvc.figures.images import draw_contact_sheet
from dlvc.figures.kernels import draw_kernels
from dlvc.params.reader import read_params
from dvcview.files.artifacts import read_json, read_npy, read_pickle, write_json
from dvcview.tracking import stage_run

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
KERNELS = ("lenet/conv1", "lenet/conv2", "densenet/conv0", "densenet/denselayer1_conv1")


def draw_images(gallery: Gallery, name: str) -> None:
    """A contact sheet of the digits or the photographs."""
    folder = Path("data") / name
    data = open_dataset(folder)
    sheet = draw_contact_sheet(data.train_images, data.train_labels, data.classes)
    sources = (folder / f"{file}" for file in ("train_images.npy", "train_labels.npy"))
    gallery.save(f"images/{name}/contact_sheet.png", sheet, *sources)


def draw_features(gallery: Gallery) -> None:
    """The texture maps of one photograph, and each feature by class."""
    classes = read_json(FEATURES / "summary.json")["classes"]
    raw, labels = FEATURES / "train_unnormalised.npy", FEATURES / "trainLabel.pkl"
    name = classes[read_pickle(labels)[0]]
    files = [FEATURES / f"maps/{file}.npy" for file in ("image", "lbp", "glcm", "gabor")]
    image, lbp, glcm, gabor = map(read_npy, files)
    title = f"Texture of one photograph: {name}"
    maps = draw_feature_maps(image, lbp, glcm, gabor, title=title)
    gallery.save("features/maps.png", maps, *files, labels)
    names = list(read_json(FEATURES / "scale.json"))
    by_class = draw_features_by_class(read_npy(raw), read_pickle(labels), names, classes)
    gallery.save("features/by_class.png", by_class, raw, labels, FEATURES / "scale.json")


def draw_training(gallery: Gallery, training: str, title: str) -> None:
    """The loss, the accuracy and the confusion matrix of a training."""
    file, confusion = (RESULTS / training / name for name in ("curves.csv", "confusion.csv"))
    columns = read_columns(file)
    epochs = [int(epoch) for epoch in columns["epoch"]]
    for quantity, label in (("loss", "mean loss per sample"), ("accuracy", "accuracy")):
        series = {part: columns[f"{part}_{quantity}"].tolist() for part in ("train", "test")}
        figure = draw_curves(epochs, series, ylabel=label, title=title)
        gallery.save(f"trainings/{training}/{quantity}.png", figure, file)
    classes, counts = read_confusion(confusion)
    figure = draw_confusion(counts, classes, title=f"{title}: test images")
    gallery.save(f"trainings/{training}/confusion.png", figure, confusion)


def main() -> None:
    """Read parameters, draw, save."""
    params = read_params()
    with stage_run("figures", FIGURES, params.select("densenet.batch_size")):
        gallery = Gallery(FIGURES)
        draw_images(gallery, "digits")
        draw_images(gallery, "photos")
        draw_features(gallery)
        for training, title in TRAININGS.items():
            draw_training(gallery, training, title)
        for rule in ("per_epoch", "per_batch", "per_sample"):
            file = RESULTS / f"update_rules/{rule}/update_losses.npy"
            figure = draw_updates(read_npy(file), title=TRAININGS[f"update_rules/{rule}"])
            gallery.save(f"updates/{rule}/update_losses.png", figure, file)
        for kernels in KERNELS:
            file = RESULTS / f"{kernels}.npy"
            before, after = read_npy(file)
            gallery.save(f"kernels/{kernels}.png", draw_kernels(before, after, file.stem), file)
        gallery.close()
        evidence = Evidence(Path(), params.select("densenet.batch_size"), {})
        write_json(FIGURES / "charts.json", draw_charts(evidence, read_lectures(LECTURES)))
