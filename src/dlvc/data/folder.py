"""Anybody's own pictures: train/<class>/* and test/<class>/*, in a folder or a .zip."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import IO
from unicodedata import category
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np
from tqdm import tqdm

from dlvc.data.dataset import Dataset, Images, Labels
from dlvc.data.picture import read_picture
from dvcview.errors import UserError, first_line, one_line
from dvcview.files.artifacts import npy_writer, read_npy

CLASSES = 10  # every model has ten outputs
SUFFIXES = (".png", ".jpg", ".jpeg")
LAYOUT = "train/<class>/* and test/<class>/* with pictures .png, .jpg or .jpeg"
LARGEST_FILE = 200_000_000  # bytes, unpacked; a small .zip can hold a file that fills the memory
MOST_MEMBERS = 1_000_000
MOST_UNPACKED = 100  # times the size of the .zip: pictures are compressed already
UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}  # control characters, undecodable bytes, ends of lines
PACKED = (ZIP_STORED, ZIP_DEFLATED)  # of the other methods zipfile unpacks all at once

Open = Callable[[str], IO[bytes]]
Names = dict[str, list[str]]  # of the pictures of each class


def load_folder(path: Path, shape: tuple[int, ...], into: Path) -> Dataset:
    """Read pictures that lie as train/<class>/* and test/<class>/*.

    They are turned upright, made gray or RGB, and resized (bilinear, antialiased) as `shape`
    asks. A .zip is read as it is, without unpacking it. Both may have one folder around train
    and test. Hidden files and other files than pictures are passed over. There may be more of them
    than memory holds: they are written one by one, and what is returned are memory maps.

    Args:
        path: a folder or a .zip file.
        shape: (28, 28) for gray pictures, (32, 32, 3) for RGB.
        into: the folder where train_images.npy and test_images.npy are to be.

    Returns:
        images uint8 (N, *shape), sorted by class and name; the classes sorted by name.

    Raises:
        UserError: no pictures in that layout, not ten classes, other classes for testing than for
            training, a broken or huge picture, a broken, encrypted or unsafe .zip, or one that
            unpacks to more than a hundred times its size.
    """
    with _source(path) as (names, open_file):
        train, test = _layout(path, names)
        classes = tuple(sorted(train))
        pictures = sum(map(len, [*train.values(), *test.values()]))
        with tqdm(total=pictures, desc=path.name, unit="pictures", disable=None) as progress:

            def read(part: str, pictures: Names) -> tuple[Images, Labels]:
                counts = [len(pictures[label]) for label in classes]
                images = into / f"{part}_images.npy"
                with npy_writer(images, (sum(counts), *shape), np.uint8) as write:
                    for name in chain.from_iterable(sorted(pictures[label]) for label in classes):
                        with open_file(name) as file:
                            write(read_picture(file, f"{path / name}", shape))
                        progress.update()
                return read_npy(images), np.repeat(np.arange(CLASSES, dtype=np.int64), counts)

            name = f"pictures from {path.name}"
            return Dataset(name, None, classes, *read("train", train), *read("test", test))


@contextmanager
def _source(path: Path) -> Iterator[tuple[list[str], Open]]:
    """The names of all files, relative to `path`, and a function that opens one."""
    if path.is_dir():
        # No deeper than top/train/class/folder/file: enough to see a layout that is not ours.
        depths = ("/".join("*" * depth) for depth in range(1, 6))
        files = (file for depth in depths for file in path.glob(depth))
        yield [file.relative_to(path).as_posix() for file in files], partial(_open, path)
    elif path.is_file():
        try:
            archive = ZipFile(path)
        except Exception as error:  # BadZipFile, OSError, struct.error, UnicodeError, …
            problem = first_line(error)
            raise UserError(
                f"{path}: neither a folder nor a readable .zip ({problem}); expected {LAYOUT}"
            ) from None
        with archive:
            yield _members(archive, path), partial(_unpack, path, archive)
    else:
        raise UserError(f"{path}: not there; expected a folder or a .zip with {LAYOUT}")


def _members(archive: ZipFile, path: Path) -> list[str]:
    """The names in a .zip, after refusing what no honest archive of pictures contains."""
    members = archive.infolist()
    seen: set[str] = set()
    for member in members:
        problem = _problem(member)
        if member.filename in seen:
            problem = "is there twice"
        if problem:
            name = member.orig_filename[:200]
            raise UserError(
                f"{path}: member {name!r} {problem}; pack it again with plain files only"
            )
        seen.add(member.filename)
    unpacked = sum(member.file_size for member in members)
    size = path.stat().st_size
    if len(members) > MOST_MEMBERS or unpacked > MOST_UNPACKED * size:
        raise UserError(
            f"{path}: {len(members)} members that unpack to {unpacked} bytes, allowed are "
            f"{MOST_MEMBERS} and {MOST_UNPACKED} times its {size} bytes; take a folder instead"
        )
    return [member.filename for member in members]


def _problem(member: ZipInfo) -> str | None:
    """What is wrong with a member of a .zip, if anything is."""
    name = member.orig_filename
    if name.startswith("/") or "\\" in name or ".." in name.split("/"):
        return "leads out of the archive or has a backslash"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a symbolic link"
    if member.flag_bits & 0x1:
        return "is encrypted"
    if member.compress_type not in PACKED:
        return "is compressed otherwise than by deflate"
    if member.file_size > LARGEST_FILE:
        return f"unpacks to {member.file_size} bytes, allowed are {LARGEST_FILE}"
    return None


def _open(path: Path, name: str) -> IO[bytes]:
    file = path / name
    try:
        found = file.stat()
        if stat.S_ISREG(found.st_mode) and found.st_size <= LARGEST_FILE:
            # In memory Pillow gets what is there; of a file it asks for what a header announces.
            return BytesIO(file.read_bytes())
    except OSError as error:
        raise UserError(
            f"{file}: cannot be read ({error.strerror}); replace or remove it"
        ) from None
    # A pipe would keep us waiting for its writer, a device might never end.
    raise UserError(
        f"{file}: no file, or {found.st_size} bytes, allowed are {LARGEST_FILE}; remove it"
    )


def _unpack(path: Path, archive: ZipFile, name: str) -> IO[bytes]:
    member = archive.getinfo(name)
    try:
        with archive.open(member) as file:
            # `archive.read` would unpack what is there, and only then look at what was announced.
            content = file.read(member.file_size)
        if len(content) != member.file_size:
            raise BadZipFile(f"{len(content)} bytes, announced are {member.file_size}")
    except Exception as error:  # BadZipFile, zlib.error, EOFError, …: a damaged archive
        problem = first_line(error)
        raise UserError(
            f"{path}: member {name!r} is damaged ({problem}); pack or download the .zip again"
        ) from None
    return BytesIO(content)


def _layout(path: Path, names: Sequence[str]) -> tuple[Names, Names]:
    """Sort the names of the pictures into training and testing, by class.

    Raises:
        UserError: they do not lie as expected.
    """
    pictures = [name for name in names if _is_picture(PurePosixPath(name))]
    for name in pictures:
        if any(category(letter) in UNPRINTABLE for letter in name):
            raise UserError(f"{path}: {name!r} has a name that is no text; rename it")
    tops = {PurePosixPath(name).parts[0] for name in pictures}
    inside = 1 if len(tops) == 1 and tops.isdisjoint(("train", "test")) else 0
    parts: dict[str, Names] = {"train": {}, "test": {}}
    for name in pictures:
        part, *rest = PurePosixPath(name).parts[inside:]
        if part not in parts:
            continue
        if len(rest) != 2:
            raise UserError(f"{path}: {name} is in no class; expected {LAYOUT}")
        parts[part].setdefault(rest[0], []).append(name)

    train, test = parts["train"], parts["test"]
    if not train or not test:
        tops = {one_line(PurePosixPath(name).parts[0]) for name in names if name}
        found = ", ".join(sorted(tops)[:5])
        raise UserError(
            f"{path}: {sum(map(len, train.values()))} pictures in train, "
            f"{sum(map(len, test.values()))} in test (found: {found or 'nothing'}); "
            f"expected {LAYOUT}"
        )
    if train.keys() != test.keys():
        raise UserError(
            f"{path}: classes only in train: {_list(train.keys() - test.keys())}; "
            f"only in test: {_list(test.keys() - train.keys())}; expected the same in both"
        )
    if len(train) != CLASSES:
        raise UserError(
            f"{path}: {len(train)} classes ({_list(train)}), expected {CLASSES}: "
            f"the models have {CLASSES} outputs"
        )
    return train, test


def _is_picture(name: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") for part in name.parts)
    return name.suffix.lower() in SUFFIXES and not hidden


def _list(classes: Iterable[str]) -> str:
    return ", ".join(sorted(classes)[:12]) or "none"
