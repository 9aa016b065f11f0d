"""CIFAR-10: 60,000 small colour photographs in ten classes."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from dlvc.arrays.dataset import PHOTO_SHAPE, Dataset, Images, Labels
from dlvc.arrays.pickles import unpickle_batch
from dlvc.data.fetch import fetch, new_md5
from dvcview.errors import UserError, first_line

SIZE = 170_498_071  # bytes of the published archive
CLASSES = 10
REMEDY = "remove the archive so that it is downloaded again"
# The published archive has nine members of at most 31 MB, and 186 MB in total.
MOST_MEMBERS = 20
LARGEST_MEMBER = 40_000_000  # bytes
LARGEST_TOTAL = 250_000_000  # bytes
LARGEST_HEADER = 8192  # bytes, including all extensions


def load_cifar10(raw: Path, mirror: str | None) -> Dataset:
    """Read CIFAR-10, after downloading its archive if it is missing. Nothing is unpacked to disk.

    Args:
        raw: the folder of all downloads. Its subfolder cifar10/ holds the verified .tar.gz as
            published, and nothing else.
        mirror: a folder or an http(s) address that has this file, tried first, or None.

    Returns:
        images uint8 (50000, 32, 32, 3) for training, (10000, 32, 32, 3) for testing, RGB.

    Raises:
        UserError: the archive cannot be downloaded, is not the published one (see `fetch`), or
            does not have the content of the published one (see `read_members`).

    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009. The file
    names, checksums and the address come from torchvision.
    """
    from torchvision.datasets import CIFAR10

    archive = fetch(
        CIFAR10.filename, CIFAR10.tgz_md5, SIZE, [CIFAR10.url], raw / "cifar10", mirror=mirror
    )
    metadata = f"{CIFAR10.base_folder}/{CIFAR10.meta['filename']}"
    train, test = (
        {f"{CIFAR10.base_folder}/{name}": md5 for name, md5 in files}
        for files in (CIFAR10.train_list, CIFAR10.test_list)
    )
    classes: tuple[str, ...] = ()
    batches: dict[str, tuple[Images, Labels]] = {}
    for name, content in read_members(archive, {**train, **test, metadata: CIFAR10.meta["md5"]}):
        where = f"{archive}: member {name!r}"
        if name == metadata:
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
    """Read the images and labels of one of the six batches.

    Args:
        content: a pickle of Python 2 with `data`, uint8 (N, 3072), the red, green and blue planes
            of each image, and `labels`, a list of N integers from 0 to 9.
        where: the name of the batch in error messages.

    Returns:
        uint8 (N, 32, 32, 3) and int64 (N,).

    Raises:
        UserError: the content is anything else.
    """
    entries = _entries(content, where)
    data, labels = entries.get("data"), entries.get("labels")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (3072,):
        found = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else "not an array"
        raise UserError(f"{where}: its data are {found}, expected uint8 (N, 3072); {REMEDY}")
    if not isinstance(labels, list) or len(labels) != len(data):
        found = f"a list of {len(labels)}" if isinstance(labels, list) else "not a list"
        raise UserError(
            f"{where}: its labels are {found}, expected a list of {len(data)}; {REMEDY}"
        )
    if not all(type(label) is int and 0 <= label < CLASSES for label in labels):
        raise UserError(f"{where}: its labels are not all integers from 0 to 9; {REMEDY}")
    height, width, colours = PHOTO_SHAPE
    planes = data.reshape(-1, colours, height, width)
    return planes.transpose(0, 2, 3, 1), np.array(labels, np.int64)


def parse_classes(content: bytes, where: str) -> tuple[str, ...]:
    """Read the names of the ten classes from a pickle of Python 2 that has a list `label_names`.

    Raises:
        UserError: the content is anything else. The message starts with `where`.
    """
    names = _entries(content, where).get("label_names")
    match names:
        case [*names] if len(names) == CLASSES and all(isinstance(name, str) for name in names):
            return tuple(names)
    raise UserError(f"{where}: its label_names are not a list of ten names; {REMEDY}")


def _entries(content: bytes, where: str) -> dict[str, Any]:
    try:
        return unpickle_batch(content)
    except ValueError as error:
        raise UserError(
            f"{where}: not a batch of CIFAR-10 ({first_line(error)}); {REMEDY}"
        ) from None


def read_members(archive: Path, wanted: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Read members of a .tar.gz in one pass and in bounded memory, without writing to disk.

    Args:
        archive: the file.
        wanted: the MD5 of each wanted member in hexadecimal, by name.

    Yields:
        The name and the content of each wanted member, in the order of the archive.

    Raises:
        UserError: the archive is not readable or has too many members, a wanted member is missing
            or has another MD5, or any member is unsafe. A member is unsafe if it is not a plain
            file or folder, has a path that leads outside the archive, occurs twice or is too large.
    """
    missing = dict(wanted)
    try:
        with (
            _LimitedGzipFile(archive) as stream,
            tarfile.open(fileobj=stream, mode="r|", bufsize=tarfile.BLOCKSIZE) as members,
        ):
            for member in _checked_members(members, archive):
                stream.remaining = LARGEST_HEADER + member.size
                file = members.extractfile(member) if member.name in missing else None
                if file is None:
                    continue
                content, md5 = file.read(), missing.pop(member.name)
                found = new_md5(content).hexdigest()
                if found != md5:
                    raise UserError(
                        f"{archive}: member {member.name!r} has md5 {found}, expected {md5}; "
                        f"{REMEDY}"
                    )
                yield member.name, content
    except UserError:
        raise
    except Exception as error:  # TarError, BadGzipFile, zlib.error, EOFError, ValueError, …
        problem = first_line(error)
        raise UserError(f"{archive}: not a readable .tar.gz ({problem}); {REMEDY}") from None
    if missing:
        raise UserError(f"{archive}: member {min(missing)!r} is missing; {REMEDY}")


class _LimitedGzipFile(gzip.GzipFile):
    """A gzip file that limits the number of bytes that can be read for each member.

    `tarfile` reads the extensions of a header into memory, whatever length they announce, and
    searches them with regular expressions that can take quadratic time.
    """

    remaining = LARGEST_HEADER

    def read(self, size: int | None = -1) -> bytes:
        limit = self.remaining + 1
        chunk = super().read(limit if size is None or size < 0 else min(size, limit))
        self.remaining -= len(chunk)
        if self.remaining < 0:
            raise ValueError("a header is longer than the limit")
        return chunk


def _checked_members(members: tarfile.TarFile, archive: Path) -> Iterator[tarfile.TarInfo]:
    """Yield the members; raise an error for one that the published archive would not contain.

    The data filter of tarfile is not sufficient. It accepts links inside the archive, and absolute
    names, which it shortens.
    """
    total, seen = 0, set[PurePosixPath]()
    for member in members:
        total += member.size
        path = PurePosixPath(member.name)
        if len(seen) == MOST_MEMBERS:
            problem = f"exceeds the limit of {MOST_MEMBERS} members"
        elif member.name.startswith("/") or "\\" in member.name or ".." in path.parts:
            problem = "has a path that leads outside the archive or contains a backslash"
        elif member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE):
            problem = "is a link, a device, or something other than a file or folder"
        elif member.issparse() or not 0 <= member.size <= LARGEST_MEMBER:
            problem = f"is sparse or unpacks to {member.size} bytes, the limit is {LARGEST_MEMBER}"
        elif total > LARGEST_TOTAL:
            problem = f"exceeds the limit of {LARGEST_TOTAL} bytes for the whole archive"
        elif path in seen:
            problem = "occurs twice"
        else:
            tarfile.data_filter(member, str(archive.parent))
            seen.add(path)
            yield member
            continue
        raise UserError(f"{archive}: member {member.name[:200]!r} {problem}; {REMEDY}")
