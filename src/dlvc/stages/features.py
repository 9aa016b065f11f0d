"""Lecture 3: texture features of the photographs, in pickles. Writes data/features/."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlvc.arrays.array_files import write_npy, write_pickle
from dlvc.arrays.dataset import open_dataset
from dlvc.features import FEATURE_NAMES
from dlvc.features.maps import texture_maps
from dlvc.features.scaler import Scaler
from dlvc.features.shards import Shards
from dlvc.params.reader import read_params
from dvcview.files.artifacts import read_json, write_json
from dvcview.tracking import stage_run

PHOTOS = Path("data/photos")
FEATURES = Path("data/features")


def main() -> None:
    """Read parameters, load, extract, save."""
    params = read_params()
    settings = params.features
    photos, summary = open_dataset(PHOTOS), read_json(PHOTOS / "summary.json")

    with stage_run("features", FEATURES, params.select("features")):
        shards = Shards(PHOTOS, settings)
        shards.make_missing()
        train, test = shards.merge()
        scaler = Scaler.fit(train)

        write_pickle(FEATURES / "trainFeats.pkl", scaler.transform(train))
        write_pickle(FEATURES / "testFeats.pkl", scaler.transform(test))
        write_pickle(FEATURES / "trainLabel.pkl", photos.train_labels)
        write_pickle(FEATURES / "testLabel.pkl", photos.test_labels)
        write_npy(FEATURES / "train_unnormalised.npy", train)
        write_npy(FEATURES / "test_unnormalised.npy", test)
        limits = np.stack([scaler.minimum, scaler.maximum], axis=1).tolist()
        write_json(FEATURES / "scale.json", dict(zip(FEATURE_NAMES, limits, strict=True)))
        write_json(FEATURES / "summary.json", summary)
        for name, array in texture_maps(photos.train_images[0], settings).items():
            write_npy(FEATURES / f"maps/{name}.npy", array)
        shards.forget()
