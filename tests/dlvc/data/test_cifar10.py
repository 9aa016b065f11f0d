import gzip
import hashlib
import io
import pickle
import sys
import tarfile
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from dlvc.arrays.dataset import check_dataset
from dlvc.data import cifar10
from dlvc.data.cifar10 import load_cifar10, parse_batch, read_members
from dvcview.errors import UserError
from tests.dlvc.data.loopback import Server
from tests.stress.readers import python2_batch

NAME = "cifar-10-python.tar.gz"
CLASSES = ["airplane", "automobile", "bird", "cat", "deer"]
CLASSES += ["dog", "frog", "horse", "ship", "truck"]
IMAGES = 20  # of each batch


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
    monkeypatch.setattr(cifar10, "SIZE", len(packed.getvalue()))
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
    with pytest.raises(UserError, match=rf"{NAME} sent {len(bad)} bytes .* not kept") as caught:
        load_cifar10(tmp_path, server.address)
    assert CIFAR10.tgz_md5 in str(caught.value)
    assert not list((tmp_path / "cifar10").iterdir())
    server.files[f"/{NAME}"] = content
    assert len(load_cifar10(tmp_path, server.address).test_images) == IMAGES


GOOD = {"batches/one": b"1" * 700, "batches/two": b"2" * 1300}
WANTED = {name: hashlib.md5(content).hexdigest() for name, content in GOOD.items()}


def member(name: str, content: bytes = b"", **changes: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for attribute, value in changes.items():
        setattr(info, attribute, value)
    return info, content


def pack(path: Path, *extra: tuple[tarfile.TarInfo, bytes], kind: int = tarfile.PAX_FORMAT) -> Path:
    """A .tar.gz of two good members, what is extra between them."""
    first, second = (member(name, content) for name, content in GOOD.items())
    with tarfile.open(path, "w:gz", format=kind) as archive:
        for info, content in (first, *extra, second):
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_are_read_out_of_any_kind_of_tar(tmp_path: Path, kind: int) -> None:
    folder = member("batches", type=tarfile.DIRTYPE, mode=0o755)
    path = pack(tmp_path / "a.tar.gz", folder, member("readme.html", b"hello"), kind=kind)
    assert dict(read_members(path, WANTED)) == GOOD


def linked(kind: bytes, target: str, name: str = "batches/link") -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=kind, linkname=target)


SPARSE = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(2**40), "GNU.sparse.realsize": "9"}
HOSTILE = {
    "a name that leads out": (member("../escaped", b"x"), "leads out"),
    "a name that leads out from inside": (member("batches/../../escaped", b"x"), "leads out"),
    "an absolute name": (member("/tmp/escaped", b"x"), "leads out"),
    "two slashes before it": (member("//tmp/escaped", b"x"), "leads out"),
    "a backslash": (member("batches\\..\\..\\escaped", b"x"), "leads out"),
    "a symbolic link": (linked(tarfile.SYMTYPE, "/etc/passwd"), "is a link"),
    "a symbolic link inside": (linked(tarfile.SYMTYPE, "one"), "is a link"),
    "a symbolic link to the parent": (linked(tarfile.SYMTYPE, ".."), "is a link"),
    "a hard link": (linked(tarfile.LNKTYPE, "/etc/passwd"), "is a link"),
    "a hard link inside": (linked(tarfile.LNKTYPE, "batches/one"), "is a link"),
    "a link for a wanted member": (
        linked(tarfile.LNKTYPE, "batches/one", "batches/two"),
        "is a link",
    ),
    "a device": (member("batches/disk", type=tarfile.BLKTYPE, devmajor=8), "is a link, a device"),
    "a terminal": (member("batches/tty", type=tarfile.CHRTYPE, devmajor=5), "is a link, a device"),
    "a pipe": (member("batches/pipe", type=tarfile.FIFOTYPE), "is a link, a device"),
    "an unknown type": (member("batches/odd", type=b"Z"), "is a link, a device"),
    "a wanted member twice": (member("batches/one", b"x"), "occurs twice"),
    "the same by another name": (member("batches/./one", b"x"), "occurs twice"),
    "a member too large": (member("zeros", bytes(40_000_001)), "unpacks to 40000001 bytes"),
    "a size from an extension": (
        member("zeros", b"x", pax_headers={"size": str(2**50)}),
        f"unpacks to {2**50} bytes",
    ),
    "a negative size": (
        member("zeros", pax_headers={"size": "-1024"}),
        # From Python 3.14 on, tarfile takes such a header for the end of the archive.
        "is missing" if sys.version_info >= (3, 14) else "unpacks to -1024 bytes",
    ),
    "holes": (member("holes", b"x", pax_headers=SPARSE), "is sparse or"),
    "a name with an end": (member("a", pax_headers={"path": "a\0b"}), "not a readable .tar.gz"),
    "a long extension": (
        member("a", pax_headers={"comment": "1" * 50_000}),
        "a header is longer than the limit",
    ),
    "a long name": (member("a/" * 50_000 + "a"), "a header is longer than the limit"),
}


@pytest.mark.parametrize(("extra", "problem"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_member_is_refused_although_nobody_wants_it(
    tmp_path: Path, extra: tuple[tarfile.TarInfo, bytes], problem: str
) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    path = pack(inside / "hostile.tar.gz", extra)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=r"hostile\.tar\.gz: .*remove the archive") as caught:
        dict(read_members(path, WANTED))
    assert problem in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/tmp/escaped").exists()


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar.gz", *(member(f"empty-{n}") for n in range(19)))
    with pytest.raises(UserError, match="'batches/two' exceeds the limit of 20 members"):
        dict(read_members(path, WANTED))


def test_too_much_in_all_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10, "LARGEST_TOTAL", 1999)
    with pytest.raises(UserError, match="'batches/two' exceeds the limit of 1999 bytes for"):
        dict(read_members(pack(tmp_path / "a.tar.gz"), WANTED))


def test_a_bomb_of_a_header_does_not_fill_the_memory(tmp_path: Path) -> None:
    """An extension of 256 MB, packed into 1 MB: tarfile would read all of it."""
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 2**28
    path = tmp_path / "bomb.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(2**8):
            file.write(bytes(2**20))
    tracemalloc.start()
    with pytest.raises(UserError, match="a header is longer"):
        dict(read_members(path, WANTED))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_missing_and_a_changed_member_are_named(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar.gz")
    with pytest.raises(UserError, match=r"a\.tar\.gz: member 'batches/three' is missing"):
        dict(read_members(path, {**WANTED, "batches/three": "0"}))
    with pytest.raises(UserError, match=r"member 'batches/two' has md5 .*, expected 0; remove"):
        dict(read_members(path, {**WANTED, "batches/two": "0"}))


def test_an_archive_that_ends_anywhere_is_refused_or_whole(tmp_path: Path) -> None:
    whole = pack(tmp_path / "whole.tar.gz").read_bytes()
    path = tmp_path / "torn.tar.gz"
    for length in range(len(whole) - 40):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"torn\.tar\.gz: "):
            dict(read_members(path, WANTED))


IMAGES_OF_TWO = np.zeros((2, 32, 32, 3), np.uint8)
BAD_BATCHES: dict[str, tuple[Callable[[], bytes], str]] = {
    "no dictionary": (lambda: pickle.dumps([1], 2), "expected a dictionary"),
    "no data": (lambda: pickle.dumps({"labels": [1]}, 2), "data are not an array"),
    "a label too few": (
        lambda: python2_batch(IMAGES_OF_TWO, [1]),
        "labels are a list of 1, expected",
    ),
    "a label too large": (lambda: python2_batch(IMAGES_OF_TWO, [1, 10]), "not all integers"),
    "something that runs": (lambda: b"cos\nsystem\n(U\x04truetR.", "names 'os.system'"),
    "other data": (
        lambda: python2_batch(IMAGES_OF_TWO, [1, 2]).replace(
            b"M\x02\x00M\x00\x0c", b"M\x00\x0cM\x02\x00"
        ),
        r"data are uint8 \(3072, 2\)",
    ),
    "half of it": (lambda: python2_batch(IMAGES_OF_TWO, [1, 2])[:3000], "not a batch"),
}


@pytest.mark.parametrize(("content", "problem"), BAD_BATCHES.values(), ids=BAD_BATCHES)
def test_a_member_that_is_no_batch_is_named(content: Callable[[], bytes], problem: str) -> None:
    with pytest.raises(UserError, match=rf"^a\.tar\.gz: member 'b': .*{problem}.*; remove"):
        parse_batch(content(), "a.tar.gz: member 'b'")


def test_without_names_of_classes_it_says_so() -> None:
    for names in ([], ["cat"] * 9, [1] * 10, None):
        content = pickle.dumps({"label_names": names}, 2)
        with pytest.raises(UserError, match="m: its label_names are not a list of ten names"):
            cifar10.parse_classes(content, "m")
