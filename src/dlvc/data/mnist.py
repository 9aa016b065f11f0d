"""MNIST: 70,000 handwritten digits."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from dlvc.arrays.dataset import DIGIT_SHAPE, Dataset, Images
from dlvc.data.fetch import fetch
from dvcview.errors import UserError, first_line

SIZES = {  # bytes of the published files
    "train-images-idx3-ubyte.gz": 9_912_422,
    "train-labels-idx1-ubyte.gz": 28_881,
    "t10k-images-idx3-ubyte.gz": 1_648_877,
    "t10k-labels-idx1-ubyte.gz": 4_542,
}
MAX_ITEMS = 60_000  # images or labels in one file; a small file can announce billions
UNSIGNED_BYTE = 8  # the code of this dtype in the IDX format


def load_mnist(raw: Path, mirror: str | None) -> Dataset:
    """Read MNIST, after downloading those of its four files that are missing.

    Args:
        raw: the folder of all downloads. Its subfolder mnist/ holds the four verified .gz files as
            published, and nothing else.
        mirror: a folder or an http(s) address that has these files, tried first, or None.

    Returns:
        images uint8 (60000, 28, 28) for training, (10000, 28, 28) for testing, white on black.

    Raises:
        UserError: a file cannot be downloaded, or is not the published one (see `fetch`).

    Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits. The file
    names, checksums and addresses come from torchvision.
    """
    from torchvision.datasets import MNIST

    # torchvision also lists an address without https, which `fetch` does not accept.
    servers = [server for server in MNIST.mirrors if server.startswith("https://")]
    train_images, train_labels, test_images, test_labels = (
        read_idx(
            fetch(
                name,
                md5,
                SIZES[name],
                [f"{server}{name}" for server in servers],
                raw / "mnist",
                mirror=mirror,
            ),
            DIGIT_SHAPE if "images" in name else (),
        )
        for name, md5 in MNIST.resources
    )
    return Dataset(
        "MNIST",
        None,
        tuple("0123456789"),
        train_images,
        train_labels.astype(np.int64),
        test_images,
        test_labels.astype(np.int64),
    )


def read_idx(path: Path, shape: tuple[int, ...]) -> Images:
    """Read a gzipped IDX file of unsigned bytes, the file format of MNIST, in bounded memory.

    Args:
        path: the file.
        shape: the shape of one item: (28, 28) for images, () for labels.

    Returns:
        uint8 (N, *shape), with N up to 60,000.

    Raises:
        UserError: the file is damaged or not gzip, its header states another dtype or shape, or it
            has more or fewer bytes than its header announces.
    """
    words = struct.Struct(f">{2 + len(shape)}I")
    expected = UNSIGNED_BYTE << 8 | 1 + len(shape)
    try:
        with gzip.open(path) as file:
            header = file.read(words.size)
            # A header that ends early is padded with bytes that make it invalid.
            magic, *lengths = words.unpack(header.ljust(words.size, b"\xff"))
            if magic != expected or (*lengths[1:],) != shape or lengths[0] > MAX_ITEMS:
                raise UserError(
                    f"{path}: its header is {header.hex(' ', -4)}, expected {expected:08x} and the "
                    f"lengths (N, {', '.join(map(str, shape))}) with N up to {MAX_ITEMS}; "
                    "remove the file so that it is downloaded again"
                )
            size = math.prod(lengths)
            # One byte more, because gzip verifies its checksum at the end of the file.
            content = file.read(size + 1)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise UserError(
            f"{path}: not a readable gzipped IDX file ({first_line(error)}); "
            "remove the file so that it is downloaded again"
        ) from None
    if len(content) != size:
        found = f"more than {size}" if len(content) > size else str(len(content))
        raise UserError(
            f"{path}: its header announces {size} bytes, but the file has {found}; "
            "remove the file so that it is downloaded again"
        )
    return np.frombuffer(bytearray(content), np.uint8).reshape(lengths)
