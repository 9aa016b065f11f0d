"""Loads the photographs: bundled stand-ins, CIFAR-10, or the user's own. Writes data/photos/."""

from __future__ import annotations

import os
from pathlib import Path

from dlvc.arrays.dataset import PHOTO_SHAPE, Dataset, save_dataset
from dlvc.data.bundled import bundled_photos
from dlvc.data.cifar10 import load_cifar10
from dlvc.data.folder import load_folder
from dlvc.params.reader import read_params
from dlvc.params.schema import Photos
from dvcview.tracking import stage_run

RAW = Path("data/raw")
PHOTOS = Path("data/photos")


def load(settings: Photos) -> Dataset:
    """Load the images from the source that params.yaml names."""
    match settings.source:
        case "bundled":
            bundled = settings.bundled
            return bundled_photos(bundled.train, bundled.test, bundled.seed)
        case "cifar10":
            return load_cifar10(RAW, os.environ.get("DLVC_MIRROR"))
        case "folder":
            return load_folder(Path(settings.path), PHOTO_SHAPE, PHOTOS)


def main() -> None:
    """Read parameters, load, save."""
    params = read_params()
    with stage_run("photos", PHOTOS, params.select("data.photos")):
        save_dataset(PHOTOS, load(params.data.photos))
