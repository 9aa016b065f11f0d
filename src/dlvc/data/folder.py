"""Load the user's own pictures, train/<class>/* and test/<class>/*, from a folder or a .zip."""

from __future__ import annotations

import hashlib
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import IO
from unicodedata import category, normalize
from zipfile import ZipFile, ZipInfo

import numpy as np

from dlvc.arrays.array_files import npy_writer, read_npy
from dlvc.arrays.dataset import Dataset, Images, Labels
from dlvc.data.picture import read_picture
from dlvc.data.zip_members import LARGEST_FILE, decoded_name, members_of, unpack
from dvcview.console import progress_bar
from dvcview.errors import UserError, first_line, one_line

SUFFIXES = (".png", ".jpg", ".jpeg")
LAYOUT = "train/<class>/* and test/<class>/* (.png, .jpg or .jpeg pictures)"
UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}  # control characters, undecodable bytes, line ends

Open = Callable[[str], IO[bytes]]
Names = dict[str, list[str]]  # the names of the pictures, by class


def load_folder(path: Path, shape: tuple[int, ...], into: Path) -> Dataset:
    """Read pictures from train/<class>/* and test/<class>/*.

    Each picture is turned upright, converted to gray or RGB, and resized to `shape` (bilinear,
    antialiased). A .zip is not unpacked to disk. The folders train and test may lie in one
    enclosing folder. Hidden files are ignored. The names of classes are compared in Unicode's
    composed form (NFC), because macOS writes another one. The number of other files is printed, and
    the number of test pictures that are also training pictures. The pictures are written to disk
    one by one and returned as memory maps, so they need not fit into memory.

    Args:
        path: a folder or a .zip file.
        shape: (28, 28) for gray pictures, (32, 32, 3) for RGB.
        into: the folder for train_images.npy and test_images.npy.

    Returns:
        images uint8 (N, *shape), sorted by class and name; the classes are sorted by name.

    Raises:
        UserError: there are no pictures in this layout, there is only one class, training and test
            classes differ, a picture is damaged or too large, or the .zip is damaged,
            encrypted, unsafe or unpacks to more than a hundred times its size.
    """
    with _source(path) as (names, open_file):
        train, test = _layout(path, names)
        classes = tuple(sorted(train))
        pictures = sum(map(len, [*train.values(), *test.values()]))
        with progress_bar(total=pictures, desc=path.name, unit="pictures") as progress:

            def read(part: str, pictures: Names) -> tuple[Images, Labels]:
                counts = [len(pictures[label]) for label in classes]
                images = into / f"{part}_images.npy"
                with npy_writer(images, (sum(counts), *shape), np.uint8) as write:
                    for name in chain.from_iterable(
                        sorted(pictures[label], key=_nfc) for label in classes
                    ):
                        with open_file(name) as file:
                            write(read_picture(file, f"{path / name}", shape))
                        progress.update()
                return read_npy(images), np.repeat(np.arange(len(counts), dtype=np.int64), counts)

            training, testing = read("train", train), read("test", test)
        repeated = _count_repeated(training[0], testing[0])
        if repeated:
            print(
                f"{path}: test pictures that are also training pictures: {repeated} of "
                f"{len(testing[0])}; they make the test accuracy too high",
                flush=True,
            )
        return Dataset(f"pictures from {path.name}", None, classes, *training, *testing)


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
            members = members_of(archive, path)
            _print_unknown_names(path, members)
            yield list(members), partial(unpack, path, archive, members)
    else:
        raise UserError(
            f"{path}: no such folder or file; expected a folder or a .zip with {LAYOUT}"
        )


def _print_unknown_names(path: Path, members: Mapping[str, ZipInfo]) -> None:
    """Print one line if names of pictures are in an unknown encoding."""
    unknown = [
        name
        for name, member in members.items()
        if decoded_name(member) is None and _is_picture(PurePosixPath(name))
    ]
    if unknown:
        print(
            f"{path}: names that are not UTF-8: {len(unknown)}, read in code page 437, such as "
            f"{unknown[0][:80]!r}; if that is wrong, create the .zip again with UTF-8 names",
            flush=True,
        )


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


def _layout(path: Path, names: Sequence[str]) -> tuple[Names, Names]:
    """Group the names of the pictures by class, for training and for testing.

    Raises:
        UserError: the layout differs from `LAYOUT`, or there is only one class.
    """
    pictures = [name for name in names if _is_picture(PurePosixPath(name))]
    for name in pictures:
        if any(category(letter) in UNPRINTABLE for letter in name):
            raise UserError(f"{path}: the name {name!r} has unprintable characters; rename it")
    tops = {PurePosixPath(name).parts[0] for name in pictures}
    depth = 1 if len(tops) == 1 and tops.isdisjoint(("train", "test")) else 0
    _print_passed_over(path, names, depth)
    parts: dict[str, Names] = {"train": {}, "test": {}}
    for name in pictures:
        part, *rest = PurePosixPath(name).parts[depth:]
        if part not in parts:
            continue
        if len(rest) != 2:
            raise UserError(f"{path}: {name} is not in the folder of a class; expected {LAYOUT}")
        parts[part].setdefault(_nfc(rest[0]), []).append(name)

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
    if len(train) < 2:
        raise UserError(f"{path}: only one class ({_join(train)}), expected two or more")
    return train, test


def _print_passed_over(path: Path, names: Sequence[str], depth: int) -> None:
    """Print one line with the number of files in train and test that are not read, by suffix.

    `depth` is the number of folders that enclose train and test.
    """
    suffixes = Counter(
        file.suffix.lower()
        for file in map(PurePosixPath, names)
        if file.suffix
        and not _is_picture(file)
        and not _is_hidden(file)
        and len(file.parts) == depth + 3  # part, class, file
        and file.parts[depth] in ("train", "test")
    )
    if suffixes:
        counts = ", ".join(f"{n} {one_line(suffix)}" for suffix, n in suffixes.most_common(5))
        print(
            f"{path}: files that are not read: {suffixes.total()} ({counts}); convert them to .png "
            "or .jpg",
            flush=True,
        )


def _count_repeated(train: Images, test: Images) -> int:
    """The number of test pictures whose pixels are those of a training picture."""
    known = {hashlib.sha256(image.tobytes()).digest() for image in train}
    return sum(hashlib.sha256(image.tobytes()).digest() in known for image in test)


def _nfc(name: str) -> str:
    return normalize("NFC", name)


def _is_picture(name: PurePosixPath) -> bool:
    return name.suffix.lower() in SUFFIXES and not _is_hidden(name)


def _is_hidden(name: PurePosixPath) -> bool:
    return any(part.startswith(".") for part in name.parts)


def _join(classes: Iterable[str]) -> str:
    return ", ".join(sorted(classes)[:12]) or "none"
