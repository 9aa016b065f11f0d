"""CIFAR-10: 60,000 small colour photographs of ten kinds of things."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from dlvc.data.dataset import Dataset
from dlvc.data.fetch import fetch


def load_cifar10(raw: Path, mirror: str | None) -> Dataset:
    """Read CIFAR-10, after downloading its archive if it is missing.

    Args:
        raw: the folder of all downloads. Its cifar10/ holds the .tar.gz as published, verified,
            and nothing else.
        mirror: a folder or an http(s) address that has this file, tried first, or None.

    Returns:
        images uint8 (50000, 32, 32, 3) for training, (10000, 32, 32, 3) for testing, RGB.

    Raises:
        UserError: the file cannot be fetched, or is not the published one (see `fetch`).

    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009; file
    name, checksums and address are torchvision's.
    """
    from torchvision.datasets import CIFAR10

    archive = fetch(
        CIFAR10.filename, CIFAR10.tgz_md5, [CIFAR10.url], raw / "cifar10", mirror=mirror
    )
    # Unpacked files live for this call only: later nobody could tell whether they are whole.
    with TemporaryDirectory() as root:
        (Path(root) / archive.name).symlink_to(archive.resolve())
        # It finds the verified archive in its place, so that it has nothing left to download.
        training = CIFAR10(root, train=True, download=True)
        testing = CIFAR10(root, train=False)
    return Dataset(
        "CIFAR-10",
        None,
        tuple(training.classes),
        training.data,
        np.array(training.targets, np.int64),
        testing.data,
        np.array(testing.targets, np.int64),
    )
