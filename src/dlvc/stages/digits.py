"""Loads the digits: bundled stand-ins, MNIST, or the user's own pictures. Writes data/digits/."""

from __future__ import annotations

import os
from pathlib import Path

from dlvc.arrays.dataset import DIGIT_SHAPE, Dataset, save_dataset
from dlvc.data.bundled import bundled_digits
from dlvc.data.folder import load_folder
from dlvc.data.mnist import load_mnist
from dlvc.params.reader import read_params
from dlvc.params.schema import Digits
from dvcview.tracking import stage_run

RAW = Path("data/raw")
DIGITS = Path("data/digits")


def load(settings: Digits) -> Dataset:
    """Load the images from the source that params.yaml names."""
    match settings.source:
        case "bundled":
            bundled = settings.bundled
            return bundled_digits(bundled.train, bundled.test, bundled.seed)
        case "mnist":
            return load_mnist(RAW, os.environ.get("DLVC_MIRROR"))
        case "folder":
            return load_folder(Path(settings.path), DIGIT_SHAPE, DIGITS)


def main() -> None:
    """Read parameters, load, save."""
    params = read_params()
    with stage_run("digits", DIGITS, params.select("data.digits")):
        save_dataset(DIGITS, load(params.data.digits))
