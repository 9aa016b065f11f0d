"""A data set as four plain arrays, on its way to and from the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvcview.errors import UserError
from dvcview.files.artifacts import read_json, read_npy, write_json, write_npy
from dvcview.files.memmap import parts_of

Images = NDArray[np.uint8]  # (N, 28, 28) digits, or (N, 32, 32, 3) photos
Labels = NDArray[np.int64]  # (N,), an index into the classes

DIGIT_SHAPE = (28, 28)
PHOTO_SHAPE = (32, 32, 3)
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class Dataset:
    """Pictures with their labels, apart for training and testing.

    Attributes:
        name: what the pictures are, for captions.
        stand_in_for: the data set whose place this one takes for want of a network, else None.
        classes: the names of the classes; a label is an index into them.
        train_images, test_images: uint8, (N, 28, 28) digits or (N, 32, 32, 3) photos, RGB.
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
    """Refuse what no model could be trained or tested on.

    Args:
        dataset: the data set.
        folder: where its arrays lie, if they do, so that an error can name the file.

    Raises:
        UserError: wrong dtype or shape, images and labels of different number, no images, a label
            out of range, or a class without a training image.
    """

    def where(array: str) -> str:
        return f"{folder / array}.npy" if folder else f"{dataset.name}, {array}"

    count = len(dataset.classes)
    for part in ("train", "test"):
        images, labels = getattr(dataset, f"{part}_images"), getattr(dataset, f"{part}_labels")
        if images.dtype != np.uint8 or images.shape[1:] not in (DIGIT_SHAPE, PHOTO_SHAPE):
            raise UserError(
                f"{where(part + '_images')}: {images.dtype} {images.shape}, "
                "expected uint8 (N, 28, 28) or (N, 32, 32, 3)"
            )
        if len(images) == 0:
            raise UserError(f"{where(part + '_images')}: no image, expected at least one")
        if labels.dtype != np.int64 or labels.shape != (len(images),):
            raise UserError(
                f"{where(part + '_labels')}: {labels.dtype} {labels.shape}, "
                f"expected int64 ({len(images)},), one label an image"
            )
        if labels.min() < 0 or labels.max() >= count:
            raise UserError(
                f"{where(part + '_labels')}: labels {labels.min()} to {labels.max()}, "
                f"expected 0 to {count - 1} for {count} classes"
            )
    if dataset.train_images.shape[1:] != dataset.test_images.shape[1:]:
        raise UserError(
            f"{where('test_images')}: images {dataset.test_images.shape[1:]}, "
            f"expected {dataset.train_images.shape[1:]} as for training"
        )
    present = np.bincount(dataset.train_labels, minlength=count) > 0
    if not present.all():
        missing = [name for name, there in zip(dataset.classes, present, strict=True) if not there]
        raise UserError(
            f"{where('train_labels')}: no training image of {', '.join(missing)}; "
            "every class needs at least one"
        )


def save_dataset(folder: Path, dataset: Dataset) -> None:
    """Write the four arrays as .npy, and summary.json, into `folder`.

    Raises:
        UserError: the data set does not pass `check_dataset`; nothing is written then.
    """
    check_dataset(dataset)
    for name in ARRAYS:
        array, path = getattr(dataset, name), folder / f"{name}.npy"
        if not (isinstance(array, np.memmap) and path.absolute() == Path(str(array.filename))):
            write_npy(path, array)  # what a loader has written by itself is there already
    write_json(folder / "summary.json", _summary(dataset))


def open_dataset(folder: Path) -> Dataset:
    """Open what `save_dataset` wrote; the arrays are read-only memory maps.

    Raises:
        UserError: a file is missing, unreadable or does not fit the others; it is named.
    """
    path = folder / "summary.json"
    try:
        summary = read_json(path)
        name, stand_in_for = summary["name"], summary["stand_in_for"]
        classes = tuple(map(str, summary["classes"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: not the summary of a data set ({error!r}); make it again with `dvc repro`"
        ) from None
    arrays = {array: read_npy(folder / f"{array}.npy") for array in ARRAYS}
    dataset = Dataset(name, stand_in_for, classes, **arrays)
    check_dataset(dataset, folder)
    return dataset


def _summary(dataset: Dataset) -> dict[str, Any]:
    """What the files hold, in words and numbers that depend on nothing else."""
    return {
        "name": dataset.name,
        "stand_in_for": dataset.stand_in_for,
        "digest": _digest([getattr(dataset, array) for array in ARRAYS]),
        "classes": list(dataset.classes),
        "train": _describe(dataset.train_images, dataset.train_labels, dataset.classes),
        "test": _describe(dataset.test_images, dataset.test_labels, dataset.classes),
    }


def _describe(images: Images, labels: Labels, classes: Sequence[str]) -> dict[str, Any]:
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    return {
        "images": len(images),
        "shape": list(images.shape[1:]),
        "counts": dict(zip(classes, counts, strict=True)),
        # An integer sum is exact, so that the digits do not depend on the order of summation.
        "mean_pixel": round(
            sum(int(part.sum(dtype=np.int64)) for part in parts_of(images)) / images.size, 3
        ),
    }


def _digest(arrays: Sequence[NDArray[Any]]) -> str:
    """The first 16 hex digits of the SHA-256 over the arrays' bytes, little-endian, C order."""
    digest = hashlib.sha256()
    for array in arrays:
        for part in parts_of(array):
            digest.update(np.ascontiguousarray(part, dtype=array.dtype.newbyteorder("<")).data)
    return digest.hexdigest()[:16]
