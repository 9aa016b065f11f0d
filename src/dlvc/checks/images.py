"""Contracts of the stages `params`, `digits`, `photos`, `features` and `figures`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlvc.arrays.array_files import read_npy, read_pickle
from dlvc.arrays.dataset import ARRAYS, open_dataset
from dlvc.checks.contract import Contract, Outs
from dlvc.features.scaler import Scaler
from dlvc.params.reader import Params
from dvcview.files.artifacts import read_json

PARTS = ("train", "test")


def schema() -> tuple[Contract, ...]:
    """`params`: the JSON schema has the sections of params.yaml."""

    def validate(outs: Outs) -> Iterator[str]:
        sections = list(read_json(outs / "params.schema.json")["properties"])
        if sections != list(Params.model_fields):
            yield f"has the sections {', '.join(sections)}"

    return (Contract("params.schema.json", validate),)


def dataset(shape: tuple[int, ...]) -> tuple[Contract, ...]:
    """`digits` and `photos`: images uint8 `(N, *shape)`, labels int64 `(N,)`."""

    def validate(outs: Outs) -> Iterator[str]:
        data = open_dataset((outs / "summary.json").parent)
        summary = read_json(outs / "summary.json")
        if len(data.classes) < 2:
            yield f"has {len(data.classes)} classes, expected at least 2"
        for part in PARTS:
            images, labels = getattr(data, f"{part}_images"), getattr(data, f"{part}_labels")
            counts = dict(zip(data.classes, np.bincount(labels).tolist(), strict=False))
            stated = summary[part]
            if images.shape[1:] != shape:
                yield f"{part} images are {images.shape[1:]}, expected {shape}"
            if (stated["images"], stated["shape"]) != (len(images), list(images.shape[1:])):
                yield f"states another number or shape of {part} images than the arrays have"
            if {name: n for name, n in stated["counts"].items() if n} != {
                name: n for name, n in counts.items() if n
            }:
                yield f"states other numbers of {part} images per class than the labels"
            if images.min() == images.max():
                yield f"{part} images show a single gray"

    return (Contract("summary.json", validate, tuple(f"{array}.npy" for array in ARRAYS)),)


def features(photos: str) -> tuple[Contract, ...]:
    """`features`: float64 `(N, 9)`, finite, scaled by the training images."""

    def scale(outs: Outs) -> Iterator[str]:
        from dlvc.features import FEATURE_NAMES

        limits = read_json(outs / "scale.json")
        train = Scaler.fit(read_npy(outs / "train_unnormalised.npy"))
        if list(limits) != list(FEATURE_NAMES):
            yield f"has the features {', '.join(limits)}; expected {', '.join(FEATURE_NAMES)}"
        elif not np.array_equal(list(limits.values()), np.stack([train.minimum, train.maximum], 1)):
            yield "is not the range of train_unnormalised.npy"

    def scaled(part: str) -> Contract:
        name = f"{part}Feats.pkl"

        def validate(outs: Outs) -> Iterator[str]:
            found, raw = read_pickle(outs / name), read_npy(outs / f"{part}_unnormalised.npy")
            limits = np.array(list(read_json(outs / "scale.json").values()))
            if found.dtype != np.float64 or found.shape != (len(raw), len(limits)):
                yield f"{found.dtype} {found.shape}, expected float64 {(len(raw), len(limits))}"
            elif not np.isfinite(found).all():
                yield "has features that are not finite"
            elif not np.array_equal(found, Scaler(limits[:, 0], limits[:, 1]).transform(raw)):
                yield f"is not {part}_unnormalised.npy scaled by scale.json"

        return Contract(name, validate, (f"{part}_unnormalised.npy", "scale.json"))

    def labels(part: str) -> Contract:
        name = f"{part}Label.pkl"

        def validate(outs: Outs) -> Iterator[str]:
            found, n = read_pickle(outs / name), len(read_pickle(outs / f"{part}Feats.pkl"))
            classes = len(read_json(outs / "summary.json")["classes"])
            if found.dtype != np.int64 or found.shape != (n,):
                yield f"{found.dtype} {found.shape}, expected int64 {(n,)}"
            elif found.min() < 0 or found.max() >= classes:
                yield f"labels {found.min()} to {found.max()}, expected 0 to {classes - 1}"

        return Contract(name, validate, (f"{part}Feats.pkl", "summary.json"))

    def same_labels(part: str) -> Contract:
        name, original = f"{part}Label.pkl", f"{photos}/{part}_labels.npy"

        def validate(outs: Outs) -> Iterator[str]:
            if not np.array_equal(read_pickle(outs / name), read_npy(outs.root / original)):
                yield f"differs from {original}"

        return Contract(name, validate, inputs=(original,))

    return (
        Contract("scale.json", scale, ("train_unnormalised.npy",)),
        *(kind(part) for part in PARTS for kind in (scaled, labels, same_labels)),
    )


def figures() -> tuple[Contract, ...]:
    """`figures`: every picture is a readable PNG that shows more than a single colour."""

    def validate(outs: Outs) -> Iterator[str]:
        from PIL import Image

        for picture in read_json(outs / "sources.json"):
            with Image.open(outs.root / picture) as image:
                pixels = np.asarray(image.convert("RGB"))
            if (pixels == pixels[0, 0]).all():
                yield f"{picture} shows a single colour"

    return (Contract("sources.json", validate),)
