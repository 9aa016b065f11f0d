"""A data set as four NumPy arrays, and its files on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlvc.arrays.array_files import read_npy, write_npy
from dlvc.arrays.memmap import chunks_of
from dvcview.errors import UserError
from dvcview.files.artifacts import read_json, write_json

Images = NDArray[np.uint8]  # (N, 28, 28) digits or (N, 32, 32, 3) photos
Labels = NDArray[np.int64]  # (N,), indices into the classes

DIGIT_SHAPE = (28, 28)
PHOTO_SHAPE = (32, 32, 3)
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class Dataset:
    """Training and test images with their labels.

    Attributes:
        name: a description of the images, for captions.
        stand_in_for: the data set that this one replaces when there is no network, or None.
        classes: the names of the classes. A label is an index into them.
        train_images, test_images: uint8, (N, 28, 28) digits or (N, 32, 32, 3) photos in RGB.
        train_labels, test_labels: int64, (N,).
    """

    name: str
    stand_in_for: str | None
    classes: tuple[str, ...]
    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels


def check_dataset(dataset: Dataset, folder: Path | None = None) -> None:
    """Raise an error unless a model can be trained and tested on a data set.

    Args:
        dataset: the data set.
        folder: the folder of its files, if it was read from disk. An error then names the file.

    Raises:
        UserError: an array has the wrong dtype or shape, the numbers of images and labels differ,
            there are no images, a label is out of range, or a class has no training image.
    """

    def location(array: str) -> str:
        return f"{folder / array}.npy" if folder else f"{dataset.name}, {array}"

    count = len(dataset.classes)
    for part in ("train", "test"):
        images, labels = getattr(dataset, f"{part}_images"), getattr(dataset, f"{part}_labels")
        if images.dtype != np.uint8 or images.shape[1:] not in (DIGIT_SHAPE, PHOTO_SHAPE):
            raise UserError(
                f"{location(part + '_images')}: found {images.dtype} {images.shape}, "
                "expected uint8 (N, 28, 28) or (N, 32, 32, 3)"
            )
        if len(images) == 0:
            raise UserError(
                f"{location(part + '_images')}: contains no images, expected at least one"
            )
        if labels.dtype != np.int64 or labels.shape != (len(images),):
            raise UserError(
                f"{location(part + '_labels')}: found {labels.dtype} {labels.shape}, "
                f"expected int64 ({len(images)},), one label per image"
            )
        if labels.min() < 0 or labels.max() >= count:
            raise UserError(
                f"{location(part + '_labels')}: found labels {labels.min()} to {labels.max()}, "
                f"expected 0 to {count - 1} for {count} classes"
            )
    if dataset.train_images.shape[1:] != dataset.test_images.shape[1:]:
        raise UserError(
            f"{location('test_images')}: found images of shape {dataset.test_images.shape[1:]}, "
            f"expected {dataset.train_images.shape[1:]} as in the training images"
        )
    present = np.bincount(dataset.train_labels, minlength=count) > 0
    if not present.all():
        missing = [name for name, found in zip(dataset.classes, present, strict=True) if not found]
        raise UserError(
            f"{location('train_labels')}: no training image of {', '.join(missing)}; "
            "every class needs at least one"
        )


def save_dataset(folder: Path, dataset: Dataset) -> None:
    """Write the four arrays as .npy files, and summary.json, into `folder`.

    Raises:
        UserError: `check_dataset` rejects the data set. In this case nothing is written.
    """
    check_dataset(dataset)
    for name in ARRAYS:
        array, path = getattr(dataset, name), folder / f"{name}.npy"
        # A loader may have written the array to this file already.
        if not (isinstance(array, np.memmap) and path.absolute() == Path(str(array.filename))):
            write_npy(path, array)
    write_json(folder / "summary.json", _summary(dataset))


def open_dataset(folder: Path) -> Dataset:
    """Open the files of `save_dataset`; the arrays are read-only memory maps.

    Raises:
        UserError: a file is missing, unreadable or inconsistent with the others. The message
            names it.
    """
    path = folder / "summary.json"
    try:
        summary = read_json(path)
        name, stand_in_for = summary["name"], summary["stand_in_for"]
        classes = tuple(map(str, summary["classes"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: not the summary of a data set ({error!r}); recreate it with `dvc repro`"
        ) from None
    arrays = {array: read_npy(folder / f"{array}.npy") for array in ARRAYS}
    dataset = Dataset(name, stand_in_for, classes, **arrays)
    check_dataset(dataset, folder)
    return dataset


def describe(summary: Mapping[str, Any]) -> str:
    """The name of the images, and of the data set that they replace.

    >>> describe({"name": "UCI digits", "stand_in_for": "MNIST"})
    'UCI digits, a stand-in for MNIST'
    """
    original = summary["stand_in_for"]
    return f"{summary['name']}, a stand-in for {original}" if original else str(summary["name"])


def _summary(dataset: Dataset) -> dict[str, Any]:
    """The content of summary.json, which depends on the data set only."""
    return {
        "name": dataset.name,
        "stand_in_for": dataset.stand_in_for,
        "digest": _digest([getattr(dataset, array) for array in ARRAYS]),
        "classes": list(dataset.classes),
        "train": _counts(dataset.train_images, dataset.train_labels, dataset.classes),
        "test": _counts(dataset.test_images, dataset.test_labels, dataset.classes),
    }


def _counts(images: Images, labels: Labels, classes: Sequence[str]) -> dict[str, Any]:
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    return {
        "images": len(images),
        "shape": list(images.shape[1:]),
        "counts": dict(zip(classes, counts, strict=True)),
        # A sum of integers is exact, so the mean does not depend on the order of summation.
        "mean_pixel": round(
            sum(int(chunk.sum(dtype=np.int64)) for chunk in chunks_of(images)) / images.size, 3
        ),
    }


def _digest(arrays: Sequence[NDArray[Any]]) -> str:
    """The first 16 hex digits of the SHA-256 of the bytes of all arrays, little-endian, C order."""
    digest = hashlib.sha256()
    for array in arrays:
        for chunk in chunks_of(array):
            digest.update(np.ascontiguousarray(chunk, dtype=array.dtype.newbyteorder("<")).data)
    return digest.hexdigest()[:16]
