"""Lecture 3: nine texture features of every photograph, in pickles. Leaves data/features/."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from skimage.feature import graycomatrix

from dlvc.data.dataset import open_dataset
from dlvc.features import FEATURE_NAMES, gabor_magnitude, local_binary_pattern, to_gray
from dlvc.features.scaler import Scale
from dlvc.features.shards import Shards
from dlvc.figures.features import draw_feature_maps, draw_features_by_class
from dlvc.params.reader import read_params
from dlvc.params.schema import Features
from dvcview.files.artifacts import read_json, write_figure, write_json, write_npy, write_pickle
from dvcview.tracking import stage_run

PHOTOS = Path("data/photos")
FEATURES = Path("data/features")


def draw_maps(image: NDArray[np.uint8], name: str, settings: Features) -> Figure:
    """The three maps of one image, from which its nine features come."""
    lbp, glcm, gabor = settings.lbp, settings.glcm, settings.gabor
    gray = to_gray(image[np.newaxis])  # (1, H, W)
    matrix = graycomatrix(gray[0], [glcm.distance], [glcm.angle], symmetric=True, normed=True)
    return draw_feature_maps(
        image,
        local_binary_pattern(gray, lbp.neighbours, lbp.radius)[0],
        matrix[:, :, 0, 0],
        gabor_magnitude(gray, gabor.frequency, gabor.theta)[0],
        title=f"Texture of one photograph: {name}",
    )


def main() -> None:
    """Parse, load, extract, save."""
    params = read_params()
    settings = params.features
    photos, summary = open_dataset(PHOTOS), read_json(PHOTOS / "summary.json")

    with stage_run("features", FEATURES, params.select("features")):
        shards = Shards(PHOTOS, settings)
        shards.make_missing()
        train, test = shards.merge()
        scale = Scale.of(train)

        write_pickle(FEATURES / "trainFeats.pkl", scale.normalise(train))
        write_pickle(FEATURES / "testFeats.pkl", scale.normalise(test))
        write_pickle(FEATURES / "trainLabel.pkl", photos.train_labels)
        write_pickle(FEATURES / "testLabel.pkl", photos.test_labels)
        write_npy(FEATURES / "train_unnormalised.npy", train)
        write_npy(FEATURES / "test_unnormalised.npy", test)
        limits = np.stack([scale.minimum, scale.maximum], axis=1).tolist()
        write_json(FEATURES / "scale.json", dict(zip(FEATURE_NAMES, limits, strict=True)))
        write_json(FEATURES / "summary.json", summary)

        first = photos.classes[photos.train_labels[0]]
        write_figure(FEATURES / "maps.png", draw_maps(photos.train_images[0], first, settings))
        by_class = draw_features_by_class(train, photos.train_labels, FEATURE_NAMES, photos.classes)
        write_figure(FEATURES / "by_class.png", by_class)
        shards.forget()
