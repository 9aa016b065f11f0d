import hashlib
import io
import pickle
import struct
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from dlvc.data.cifar10 import load_cifar10
from dlvc.data.dataset import check_dataset
from dlvc.errors import UserError
from tests.data.loopback import Server

NAME = "cifar-10-python.tar.gz"
CLASSES = ["airplane", "automobile", "bird", "cat", "deer"]
CLASSES += ["dog", "frog", "horse", "ship", "truck"]
IMAGES = 20  # of each batch


def python2_batch(images: np.ndarray, labels: list[int]) -> bytes:
    """A batch, opcode by opcode as in the published files: Python 2, protocol 2, NumPy of 2009."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value  # SHORT_BINSTRING: Python 2's str

    def whole(value: int) -> bytes:
        return b"M" + struct.pack("<H", value)

    pixels = images.transpose(0, 3, 1, 2).tobytes()  # planes of red, green, blue
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R"  # dtype("u1", 0, 1)
    dtype += b"(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b")
    array += b"\x87R(K\x01" + whole(len(images)) + whole(3072) + b"\x86" + dtype
    array += b"\x89T" + struct.pack("<I", len(pixels)) + pixels + b"tb"
    listed = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"labels") + listed + text(b"data") + array + b"u."


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, np.ndarray, np.ndarray]:
    """A small archive that torchvision takes for the published one; its images and labels."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6 * IMAGES, 32, 32, 3), np.uint8)
    labels = rng.permutation(np.arange(6 * IMAGES) % 10)
    names = [name for name, _ in [*CIFAR10.train_list, *CIFAR10.test_list]]
    files = {}
    for i, name in enumerate(names):
        part = slice(i * IMAGES, (i + 1) * IMAGES)
        files[name] = python2_batch(images[part], labels[part].tolist())
    files["batches.meta"] = pickle.dumps({"label_names": CLASSES}, protocol=2)

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(CIFAR10, "train_list", [[name, md5[name]] for name in names[:5]])
    monkeypatch.setattr(CIFAR10, "test_list", [[names[5], md5[names[5]]]])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": md5["batches.meta"]})
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(packed.getvalue()).hexdigest())
    return packed.getvalue(), images, labels


def test_it_is_downloaded_once_and_read_as_published(
    tmp_path: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    published: tuple[bytes, np.ndarray, np.ndarray],
) -> None:
    content, images, labels = published
    monkeypatch.setattr(CIFAR10, "url", f"{server.address}/{NAME}")
    server.files[f"/{NAME}"] = content
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    for _ in range(2):
        dataset = load_cifar10(tmp_path / "raw", None)
        check_dataset(dataset)
        assert (dataset.name, dataset.stand_in_for) == ("CIFAR-10", None)
        assert dataset.classes == tuple(CLASSES)
        np.testing.assert_array_equal(dataset.train_images, images[: 5 * IMAGES])
        np.testing.assert_array_equal(dataset.train_labels, labels[: 5 * IMAGES])
        np.testing.assert_array_equal(dataset.test_images, images[5 * IMAGES :])
        np.testing.assert_array_equal(dataset.test_labels, labels[5 * IMAGES :])
    assert server.asked == [f"/{NAME}"]
    assert [file.name for file in (tmp_path / "raw").rglob("*.*")] == [NAME]
    assert not list(temporary.iterdir())  # nothing unpacked stays


def test_a_mirror_serves_it(
    tmp_path: Path, server: Server, published: tuple[bytes, np.ndarray, np.ndarray]
) -> None:
    server.files[f"/mirror/{NAME}"] = published[0]
    dataset = load_cifar10(tmp_path, f"{server.address}/mirror")
    np.testing.assert_array_equal(dataset.test_images, published[1][5 * IMAGES :])


@pytest.mark.parametrize("damage", ["truncated", "foreign"])
def test_another_archive_is_refused_and_not_kept(
    tmp_path: Path,
    server: Server,
    published: tuple[bytes, np.ndarray, np.ndarray],
    damage: str,
) -> None:
    content = published[0]
    bad = content[: len(content) // 2] if damage == "truncated" else b"another archive"
    server.files[f"/{NAME}"] = bad
    with pytest.raises(UserError, match=rf"{NAME} gave {len(bad)} bytes .* not kept") as caught:
        load_cifar10(tmp_path, server.address)
    assert CIFAR10.tgz_md5 in str(caught.value)
    assert not list((tmp_path / "cifar10").iterdir())
    server.files[f"/{NAME}"] = content
    assert len(load_cifar10(tmp_path, server.address).test_images) == IMAGES
