"""Gets the photographs: bundled stand-ins, CIFAR-10, or anybody's own. Leaves data/photos/."""

from __future__ import annotations

import os
from pathlib import Path

from dlvc.data.bundled import bundled_photos
from dlvc.data.cifar10 import load_cifar10
from dlvc.data.dataset import PHOTO_SHAPE, Dataset, save_dataset
from dlvc.data.folder import load_folder
from dlvc.figures.images import draw_contact_sheet
from dlvc.params.reader import read_params
from dlvc.params.schema import Photos
from dvcview.files.artifacts import write_figure
from dvcview.tracking import stage_run

RAW = Path("data/raw")
PHOTOS = Path("data/photos")


def load(settings: Photos) -> Dataset:
    """The photographs from the source that params.yaml names."""
    match settings.source:
        case "bundled":
            bundled = settings.bundled
            return bundled_photos(bundled.train, bundled.test, bundled.seed)
        case "cifar10":
            return load_cifar10(RAW, os.environ.get("DLVC_MIRROR"))
        case "folder":
            return load_folder(Path(settings.path), PHOTO_SHAPE, PHOTOS)


def main() -> None:
    """Parse, load, save."""
    params = read_params()
    with stage_run("photos", PHOTOS, params.select("data.photos")):
        photos = load(params.data.photos)
        save_dataset(PHOTOS, photos)
        sheet = draw_contact_sheet(photos.train_images, photos.train_labels, photos.classes)
        write_figure(PHOTOS / "contact_sheet.png", sheet)
