"""Load the user's own pictures, train/<class>/* and test/<class>/*, from a folder or a .zip."""

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

from dlvc.arrays.array_files import npy_writer, read_npy
from dlvc.arrays.dataset import Dataset, Images, Labels
from dlvc.data.picture import read_picture
from dvcview.errors import UserError, first_line, one_line

CLASSES = 10  # every model has ten outputs
SUFFIXES = (".png", ".jpg", ".jpeg")
LAYOUT = "train/<class>/* and test/<class>/* (.png, .jpg or .jpeg pictures)"
LARGEST_FILE = 200_000_000  # bytes, unpacked; a file in a small .zip could fill the memory
MOST_MEMBERS = 1_000_000
MOST_UNPACKED = 100  # times the size of the .zip; pictures are already compressed
UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}  # control characters, undecodable bytes, line ends
METHODS = (ZIP_STORED, ZIP_DEFLATED)  # zipfile unpacks other methods without a memory limit

Open = Callable[[str], IO[bytes]]
Names = dict[str, list[str]]  # the names of the pictures, by class


def load_folder(path: Path, shape: tuple[int, ...], into: Path) -> Dataset:
    """Read pictures from train/<class>/* and test/<class>/*.

    Each picture is turned upright, converted to gray or RGB, and resized to `shape` (bilinear,
    antialiased). A .zip is not unpacked to disk. The folders train and test may lie in one
    enclosing folder. Hidden files, and files other than pictures, are ignored. The pictures are
    written to disk one by one and returned as memory maps, so they need not fit into memory.

    Args:
        path: a folder or a .zip file.
        shape: (28, 28) for gray pictures, (32, 32, 3) for RGB.
        into: the folder for train_images.npy and test_images.npy.

    Returns:
        images uint8 (N, *shape), sorted by class and name; the classes are sorted by name.

    Raises:
        UserError: there are no pictures in this layout, there are not ten classes, training and
            test classes differ, a picture is damaged or too large, or the .zip is damaged,
            encrypted, unsafe or unpacks to more than a hundred times its size.
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
    """Yield the names of all files, relative to `path`, and a function that opens one of them."""
    if path.is_dir():
        # Five levels, top/train/class/folder/file, are enough to recognise a wrong layout.
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
        raise UserError(
            f"{path}: no such folder or file; expected a folder or a .zip with {LAYOUT}"
        )


def _members(archive: ZipFile, path: Path) -> list[str]:
    """The names of the members of a .zip; raises an error if a member or the total is unsafe."""
    members = archive.infolist()
    seen: set[str] = set()
    for member in members:
        problem = _problem(member)
        if member.filename in seen:
            problem = "occurs twice"
        if problem:
            name = member.orig_filename[:200]
            raise UserError(
                f"{path}: member {name!r} {problem}; create the .zip again with plain files only"
            )
        seen.add(member.filename)
    unpacked = sum(member.file_size for member in members)
    size = path.stat().st_size
    if len(members) > MOST_MEMBERS or unpacked > MOST_UNPACKED * size:
        raise UserError(
            f"{path}: {len(members)} members that unpack to {unpacked} bytes, the limits are "
            f"{MOST_MEMBERS} members and {MOST_UNPACKED} times the {size} bytes of the .zip; "
            "use a folder instead"
        )
    return [member.filename for member in members]


def _problem(member: ZipInfo) -> str | None:
    """The reason to reject a member of a .zip, or None."""
    name = member.orig_filename
    if name.startswith("/") or "\\" in name or ".." in name.split("/"):
        return "has a path that leads outside the archive or contains a backslash"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a symbolic link"
    if member.flag_bits & 0x1:
        return "is encrypted"
    if member.compress_type not in METHODS:
        return "uses a compression method other than deflate"
    if member.file_size > LARGEST_FILE:
        return f"unpacks to {member.file_size} bytes, the limit is {LARGEST_FILE}"
    return None


def _open(path: Path, name: str) -> IO[bytes]:
    file = path / name
    try:
        found = file.stat()
        if stat.S_ISREG(found.st_mode) and found.st_size <= LARGEST_FILE:
            # From a file, Pillow would request as many bytes as a header announces.
            return BytesIO(file.read_bytes())
    except OSError as error:
        raise UserError(
            f"{file}: cannot be read ({error.strerror}); replace or remove it"
        ) from None
    # Reading a pipe could wait for ever, and a device may have no end.
    raise UserError(
        f"{file}: not a regular file, or too large ({found.st_size} bytes, the limit is "
        f"{LARGEST_FILE}); remove it"
    )


def _unpack(path: Path, archive: ZipFile, name: str) -> IO[bytes]:
    member = archive.getinfo(name)
    try:
        with archive.open(member) as file:
            # `archive.read` would unpack everything before it checks the announced size.
            content = file.read(member.file_size)
        if len(content) != member.file_size:
            raise BadZipFile(f"it has {len(content)} bytes and announces {member.file_size}")
    except Exception as error:  # BadZipFile, zlib.error, EOFError, …: a damaged archive
        problem = first_line(error)
        raise UserError(
            f"{path}: member {name!r} is damaged ({problem}); create or download the .zip again"
        ) from None
    return BytesIO(content)


def _layout(path: Path, names: Sequence[str]) -> tuple[Names, Names]:
    """Group the names of the pictures by class, for training and for testing.

    Raises:
        UserError: the layout differs from `LAYOUT`, or there are not ten classes.
    """
    pictures = [name for name in names if _is_picture(PurePosixPath(name))]
    for name in pictures:
        if any(category(letter) in UNPRINTABLE for letter in name):
            raise UserError(f"{path}: the name {name!r} has unprintable characters; rename it")
    tops = {PurePosixPath(name).parts[0] for name in pictures}
    depth = 1 if len(tops) == 1 and tops.isdisjoint(("train", "test")) else 0
    parts: dict[str, Names] = {"train": {}, "test": {}}
    for name in pictures:
        part, *rest = PurePosixPath(name).parts[depth:]
        if part not in parts:
            continue
        if len(rest) != 2:
            raise UserError(f"{path}: {name} is not in the folder of a class; expected {LAYOUT}")
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
            f"{path}: classes only in train: {_join(train.keys() - test.keys())}; "
            f"only in test: {_join(test.keys() - train.keys())}; expected the same classes in both"
        )
    if len(train) != CLASSES:
        raise UserError(
            f"{path}: {len(train)} classes ({_join(train)}), expected {CLASSES}: "
            f"the models have {CLASSES} outputs"
        )
    return train, test


def _is_picture(name: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") for part in name.parts)
    return name.suffix.lower() in SUFFIXES and not hidden


def _join(classes: Iterable[str]) -> str:
    return ", ".join(sorted(classes)[:12]) or "none"
