import gzip
import hashlib
import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import MNIST

from dlvc.arrays.dataset import check_dataset
from dlvc.data import mnist
from dlvc.data.mnist import load_mnist, read_idx
from dvcview.errors import UserError
from tests.dlvc.data.loopback import Server

MIRROR = os.environ.get("DLVC_MIRROR")


def idx(array: np.ndarray) -> bytes:
    """The IDX format of MNIST: magic number, sizes, unsigned bytes."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0)


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "train-images-idx3-ubyte.gz": rng.integers(0, 256, (30, 28, 28)),
        "train-labels-idx1-ubyte.gz": rng.permutation(np.arange(30) % 10),
        "t10k-images-idx3-ubyte.gz": rng.integers(0, 256, (20, 28, 28)),
        "t10k-labels-idx1-ubyte.gz": rng.permutation(np.arange(20) % 10),
    }


@pytest.fixture
def mirror(tmp_path: Path, arrays: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small MNIST, of which torchvision believes that it is the published one."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    resources = []
    for name, array in arrays.items():
        (folder / name).write_bytes(idx(array))
        resources.append((name, hashlib.md5(idx(array)).hexdigest()))
    monkeypatch.setattr(MNIST, "resources", resources)
    monkeypatch.setattr(mnist, "SIZES", {name: len(idx(array)) for name, array in arrays.items()})
    return folder


def test_it_is_read_as_published(
    tmp_path: Path, mirror: Path, arrays: dict[str, np.ndarray], server: Server
) -> None:
    server.files = {f"/mnist/{file.name}": file.read_bytes() for file in mirror.iterdir()}
    for source in (str(mirror), f"{server.address}/mnist"):
        raw = tmp_path / source.replace("/", "-")
        dataset = load_mnist(raw, source)
        check_dataset(dataset)
        assert (dataset.name, dataset.stand_in_for) == ("MNIST", None)
        assert dataset.classes == tuple("0123456789")
        found = [dataset.train_images, dataset.train_labels]
        found += [dataset.test_images, dataset.test_labels]
        for array, expected in zip(found, arrays.values(), strict=True):
            np.testing.assert_array_equal(array, expected)
        # The archives as published, nothing unpacked; and they are enough from now on.
        assert sorted(file.name for file in raw.rglob("*.*")) == sorted(arrays)
        assert sorted(file.name for file in (raw / "mnist").iterdir()) == sorted(arrays)
        np.testing.assert_array_equal(load_mnist(raw, None).test_images, dataset.test_images)


def test_a_broken_archive_is_named_and_fetched_anew(tmp_path: Path, mirror: Path) -> None:
    raw = tmp_path / "raw"
    expected = load_mnist(raw, str(mirror))
    name = "t10k-images-idx3-ubyte.gz"
    (raw / "mnist" / name).write_bytes((mirror / name).read_bytes()[:-5])
    with pytest.raises(UserError, match=rf"{name}: md5 .*, expected .* removed; try again"):
        load_mnist(raw, str(mirror))
    np.testing.assert_array_equal(load_mnist(raw, str(mirror)).test_images, expected.test_images)


def test_without_a_source_it_says_what_was_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", no_network)
    with pytest.raises(UserError, match=r"tried https://.*DLVC_MIRROR.*bundled") as caught:
        load_mnist(tmp_path, None)
    assert "http://" not in str(caught.value)


@pytest.mark.skipif(not MIRROR, reason="DLVC_MIRROR is not set: no MNIST here")
def test_the_published_files(tmp_path: Path) -> None:
    dataset = load_mnist(tmp_path, MIRROR)
    assert dataset.train_images.shape == (60000, 28, 28)
    assert dataset.test_images.shape == (10000, 28, 28)
    # The digits that every introduction to MNIST shows first.
    assert dataset.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert dataset.test_labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    # The constants by which MNIST is customarily normalised.
    assert dataset.train_images.mean() / 255 == pytest.approx(0.1307, abs=1e-4)
    assert dataset.train_images.std() / 255 == pytest.approx(0.3081, abs=1e-4)


def header(*words: int) -> bytes:
    return struct.pack(f">{len(words)}I", *words)


IMAGES = header(0x803, 2, 28, 28) + bytes(2 * 784)
LIES = {
    "nothing": (b"", "its header is"),
    "half a header": (IMAGES[:9], "its header is"),
    "labels for images": (header(0x801, 2) + bytes(2), "its header is 00000801 00000002"),
    "integers": (header(0xC03, 2, 28, 28) + bytes(8 * 784), "its header is 00000c03"),
    "labels with half a header": (header(0x801) + b"\0", "its header is 00000801 00,"),
    "another size": (header(0x803, 2, 784, 1) + bytes(2 * 784), "lengths .N, 28, 28."),
    "billions": (header(0x803, 2**32 - 1, 28, 28) + bytes(784), "N up to 60000"),
    "one too many": (
        header(0x803, 3, 28, 28) + bytes(2 * 784),
        "2352 bytes, but the file has 1568;",
    ),
    "one too few": (
        header(0x803, 1, 28, 28) + bytes(2 * 784),
        "784 bytes, but the file has more than",
    ),
    "a byte behind it": (IMAGES + b"\0", "announces 1568 bytes, but the file has more than"),
}


@pytest.mark.parametrize(("content", "problem"), LIES.values(), ids=LIES)
def test_a_header_that_lies_is_one_clear_line(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(UserError, match=rf"images\.gz: .*{problem}.*remove the file") as caught:
        read_idx(path, (28, 28))
    assert len(str(caught.value).splitlines()) == 1


def test_an_idx_file_that_ends_anywhere_or_goes_on_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(IMAGES)
    path = tmp_path / "torn.gz"
    path.write_bytes(whole)
    assert read_idx(path, (28, 28)).shape == (2, 28, 28)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"torn\.gz: "):
            read_idx(path, (28, 28))
    for more in (b"more", gzip.compress(b"more")):
        path.write_bytes(whole + more)
        with pytest.raises(UserError, match=r"torn\.gz: "):
            read_idx(path, (28, 28))


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(IMAGES)
        for _ in range(2**8):
            file.write(bytes(2**20))  # 256 MB, packed into 1 MB
    tracemalloc.start()
    with pytest.raises(UserError, match="the file has more than 1568"):
        read_idx(path, (28, 28))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000
