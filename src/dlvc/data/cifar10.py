"""CIFAR-10: 60,000 small colour photographs of ten kinds of things."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from dlvc.data.dataset import PHOTO_SHAPE, Dataset, Images, Labels
from dlvc.data.fetch import fetch, new_md5
from dvcview.errors import UserError, first_line
from dvcview.files.pickles import unpickle_batch

SIZE = 170_498_071  # bytes of the archive as published
CLASSES = 10
AGAIN = "remove the archive, it will be fetched again"
# The published archive has nine members, the largest of 31 MB, 186 MB in all.
MOST_MEMBERS = 20
LARGEST_MEMBER = 40_000_000  # bytes
LARGEST_TOTAL = 250_000_000  # bytes
LARGEST_HEADER = 8192  # bytes, with all its extensions


def load_cifar10(raw: Path, mirror: str | None) -> Dataset:
    """Read CIFAR-10, after downloading its archive if it is missing. Nothing is unpacked to disk.

    Args:
        raw: the folder of all downloads. Its cifar10/ holds the .tar.gz as published, verified,
            and nothing else.
        mirror: a folder or an http(s) address that has this file, tried first, or None.

    Returns:
        images uint8 (50000, 32, 32, 3) for training, (10000, 32, 32, 3) for testing, RGB.

    Raises:
        UserError: the file cannot be fetched, or is not the published one (see `fetch`), or holds
            something else than the published one does (see `read_members`).

    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009; file
    names, checksums and address are torchvision's.
    """
    from torchvision.datasets import CIFAR10

    archive = fetch(
        CIFAR10.filename, CIFAR10.tgz_md5, SIZE, [CIFAR10.url], raw / "cifar10", mirror=mirror
    )
    about = f"{CIFAR10.base_folder}/{CIFAR10.meta['filename']}"
    train, test = (
        {f"{CIFAR10.base_folder}/{name}": md5 for name, md5 in files}
        for files in (CIFAR10.train_list, CIFAR10.test_list)
    )
    classes: tuple[str, ...] = ()
    batches: dict[str, tuple[Images, Labels]] = {}
    for name, content in read_members(archive, {**train, **test, about: CIFAR10.meta["md5"]}):
        where = f"{archive}: member {name!r}"
        if name == about:
            classes = parse_classes(content, where)
        else:
            batches[name] = parse_batch(content, where)
    train_images, train_labels = zip(*(batches[name] for name in train), strict=True)
    test_images, test_labels = zip(*(batches[name] for name in test), strict=True)
    return Dataset(
        "CIFAR-10",
        None,
        classes,
        np.concatenate(train_images),
        np.concatenate(train_labels),
        np.concatenate(test_images),
        np.concatenate(test_labels),
    )


def parse_batch(content: bytes, where: str) -> tuple[Images, Labels]:
    """The images and labels of one of the six batches.

    Args:
        content: a pickle of Python 2: `data`, uint8 (N, 3072), red, green and blue planes of each
            image, and `labels`, N integers from 0 to 9.
        where: what an error calls it.

    Returns:
        uint8 (N, 32, 32, 3) and int64 (N,).

    Raises:
        UserError: it is anything else.
    """
    entries = _entries(content, where)
    data, labels = entries.get("data"), entries.get("labels")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (3072,):
        found = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else "no array"
        raise UserError(f"{where}: its data are {found}, expected uint8 (N, 3072); {AGAIN}")
    if not isinstance(labels, list) or len(labels) != len(data):
        found = str(len(labels)) if isinstance(labels, list) else "no list"
        raise UserError(f"{where}: its labels are {found}, expected a list of {len(data)}; {AGAIN}")
    if not all(type(label) is int and 0 <= label < CLASSES for label in labels):
        raise UserError(f"{where}: its labels are not all integers from 0 to 9; {AGAIN}")
    height, width, colours = PHOTO_SHAPE
    planes = data.reshape(-1, colours, height, width)
    return planes.transpose(0, 2, 3, 1), np.array(labels, np.int64)


def parse_classes(content: bytes, where: str) -> tuple[str, ...]:
    """The names of the ten classes, out of a pickle of Python 2 that has them as `label_names`.

    Raises:
        UserError: it is anything else; the error calls it `where`.
    """
    names = _entries(content, where).get("label_names")
    match names:
        case [*names] if len(names) == CLASSES and all(isinstance(name, str) for name in names):
            return tuple(names)
    raise UserError(f"{where}: it has no label_names, expected a list of ten names; {AGAIN}")


def _entries(content: bytes, where: str) -> dict[str, Any]:
    try:
        return unpickle_batch(content)
    except ValueError as error:
        raise UserError(
            f"{where}: not a batch of CIFAR-10 ({first_line(error)}); {AGAIN}"
        ) from None


def read_members(archive: Path, wanted: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Read members of a .tar.gz from beginning to end, in bounded memory, writing nothing.

    Args:
        archive: the file.
        wanted: the names of the members, each with its md5 in hexadecimal.

    Yields:
        name and content of each wanted member, in the archive's order.

    Raises:
        UserError: a member, wanted or not, that would not be a plain file or folder below where
            one unpacks it; one that is there twice, or too large, or too many of them; a wanted
            one that is missing or has another md5; an archive that is not readable.
    """
    missing = dict(wanted)
    try:
        with (
            _Rationed(archive) as stream,
            tarfile.open(fileobj=stream, mode="r|", bufsize=tarfile.BLOCKSIZE) as members,
        ):
            for member in _checked(members, archive):
                stream.left = LARGEST_HEADER + member.size
                file = members.extractfile(member) if member.name in missing else None
                if file is None:
                    continue
                content, md5 = file.read(), missing.pop(member.name)
                found = new_md5(content).hexdigest()
                if found != md5:
                    raise UserError(
                        f"{archive}: member {member.name!r} has md5 {found}, expected {md5}; "
                        f"{AGAIN}"
                    )
                yield member.name, content
    except UserError:
        raise
    except Exception as error:  # TarError, BadGzipFile, zlib.error, EOFError, ValueError, …
        problem = first_line(error)
        raise UserError(f"{archive}: not a readable .tar.gz ({problem}); {AGAIN}") from None
    if missing:
        raise UserError(f"{archive}: member {min(missing)!r} is not in it; {AGAIN}")


class _Rationed(gzip.GzipFile):
    """Gives no more bytes than one member may have.

    `tarfile` reads a header's extensions into memory, as long as they say they are, and searches
    them with regular expressions that can take quadratic time.
    """

    left = LARGEST_HEADER

    def read(self, size: int | None = -1) -> bytes:
        most = self.left + 1
        chunk = super().read(most if size is None or size < 0 else min(size, most))
        self.left -= len(chunk)
        if self.left < 0:
            raise ValueError("a header is longer than any honest one")
        return chunk


def _checked(members: tarfile.TarFile, archive: Path) -> Iterator[tarfile.TarInfo]:
    """The members, after refusing what the published archive does not have.

    The data filter lets links inside of the archive and absolute names pass (it shortens those),
    so that it is not enough.
    """
    total, seen = 0, set[PurePosixPath]()
    for member in members:
        total += member.size
        place = PurePosixPath(member.name)
        if len(seen) == MOST_MEMBERS:
            problem = f"is one of more than {MOST_MEMBERS}"
        elif member.name.startswith("/") or "\\" in member.name or ".." in place.parts:
            problem = "leads out of the archive or has a backslash"
        elif member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE):
            problem = "is a link, a device, or something else than a file or folder"
        elif member.issparse() or not 0 <= member.size <= LARGEST_MEMBER:
            problem = f"unpacks to {member.size} bytes or has holes, allowed are {LARGEST_MEMBER}"
        elif total > LARGEST_TOTAL:
            problem = f"is where the archive exceeds {LARGEST_TOTAL} bytes"
        elif place in seen:
            problem = "is there twice"
        else:
            tarfile.data_filter(member, str(archive.parent))
            seen.add(place)
            yield member
            continue
        raise UserError(f"{archive}: member {member.name[:200]!r} {problem}; {AGAIN}")
