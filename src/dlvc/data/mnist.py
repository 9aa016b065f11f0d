"""MNIST: 70,000 handwritten digits."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from dlvc.data.dataset import Dataset, Images, Labels
from dlvc.data.fetch import fetch


def load_mnist(raw: Path, mirror: str | None) -> Dataset:
    """Read MNIST, after downloading what is missing of its four files.

    Args:
        raw: the folder of all downloads. Its mnist/ holds the four .gz files as published,
            verified, and nothing else.
        mirror: a folder or an http(s) address that has these files, tried first, or None.

    Returns:
        images uint8 (60000, 28, 28) for training, (10000, 28, 28) for testing, white on black.

    Raises:
        UserError: a file cannot be fetched, or is not the published one (see `fetch`).

    Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits; file names,
    checksums and addresses are torchvision's.
    """
    from torchvision.datasets import MNIST

    # torchvision also lists an address without https, which we would not trust.
    servers = [server for server in MNIST.mirrors if server.startswith("https://")]
    archives = [
        fetch(name, md5, [f"{server}{name}" for server in servers], raw / "mnist", mirror=mirror)
        for name, md5 in MNIST.resources
    ]

    def read(root: str, *, train: bool) -> tuple[Images, Labels]:
        # It finds the verified archives in their place, so that it has nothing left to download.
        part = MNIST(root, train=train, download=True)
        return part.data.numpy(), part.targets.numpy().astype(np.int64)

    # Unpacked files live for this call only: later nobody could tell whether they are whole.
    with TemporaryDirectory() as root:
        place = Path(root) / "MNIST" / "raw"
        place.mkdir(parents=True)
        for archive in archives:
            (place / archive.name).symlink_to(archive.resolve())
        training, testing = read(root, train=True), read(root, train=False)
    return Dataset("MNIST", None, tuple("0123456789"), *training, *testing)
