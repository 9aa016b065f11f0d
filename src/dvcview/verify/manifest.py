"""What is there: the files of the workspace and of DVC's cache, by their content.

DVC remembers md5s by a file's size, time and inode, and never looks at an object of its cache again
once it is write-protected. Here every byte is read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tqdm import tqdm

from dvcview.files.hashes import md5_of, md5_of_listing
from dvcview.project.lockfile import Pipeline

OBJECT = re.compile(r"[0-9a-f]{2}/[0-9a-f]{30}(\.dir)?")  # other names: a copy in the making
RUN = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}/[0-9a-f]{64}")


@dataclass(frozen=True)
class Content:
    """What a file holds; without an md5, why it could not be read."""

    md5: str | None
    size: int  # bytes
    error: str = ""

    def __str__(self) -> str:
        return f"its md5 is {self.md5}" if self.md5 else f"cannot be read ({self.error})"


@dataclass(frozen=True)
class Inventory:
    """Contents by the file's path in the project, and by the object's name in DVC's cache."""

    root: Path
    cache: Path  # the folder of the objects
    workspace: Mapping[str, Content]
    objects: Mapping[str, Content]
    runs: Sequence[Path]  # what DVC's run cache remembers, a file an outcome of a stage

    def short(self, path: Path) -> str:
        """A path as one writes it in the project's folder."""
        return str(path.relative_to(self.root) if path.is_relative_to(self.root) else path)

    def object_path(self, name: str) -> str:
        """Where DVC's cache keeps an object."""
        return self.short(self.cache / name[:2] / name[2:])

    def has_object(self, name: str) -> bool:
        """Whether the cache has an object, undamaged."""
        return name in self.objects and self.objects[name].md5 == name.removesuffix(".dir")

    def has_out(self, path: str, md5: str) -> bool:
        """Whether the workspace has a file or a folder with this content."""
        if md5.endswith(".dir"):
            return md5_of_listing(self.listing(path)) == md5
        return path in self.workspace and self.workspace[path].md5 == md5

    def is_there(self, path: str) -> bool:
        """Whether the workspace has a file, or a folder with files, of this name."""
        return path in self.workspace or bool(self.listing(path))

    def listing(self, folder: str) -> list[dict[str, str]]:
        """The files below a folder of the workspace, as DVC lists them."""
        files = [
            {"md5": content.md5 or "", "relpath": path.removeprefix(f"{folder}/")}
            for path, content in self.workspace.items()
            if path.startswith(f"{folder}/")
        ]
        return sorted(files, key=lambda entry: entry["relpath"])

    def copy_of(self, md5: str) -> str | None:
        """A file of the workspace with this content."""
        return self._by_md5.get(md5)

    @cached_property
    def _by_md5(self) -> dict[str, str]:
        return {found.md5: path for path, found in self.workspace.items() if found.md5}


def take_inventory(pipeline: Pipeline, outs: Iterable[str]) -> Inventory:
    """Read every file of these outs and all of DVC's cache."""
    root, cache = pipeline.root, pipeline.cache
    workspace = {file for out in outs for file in _files_of(root / out)}
    objects = set(_named(cache, "*/*", OBJECT))
    contents = _read_all(sorted(workspace | objects))
    return Inventory(
        root,
        cache,
        {file.relative_to(root).as_posix(): contents[file] for file in sorted(workspace)},
        {f"{file.parent.name}{file.name}": contents[file] for file in sorted(objects)},
        sorted(_named(cache.parents[1] / "runs", "*/*/*", RUN)),
    )


def _files_of(out: Path) -> list[Path]:
    found = out.rglob("*") if out.is_dir() else [out]
    return [file for file in found if file.is_file()]


def _named(folder: Path, pattern: str, name: re.Pattern[str]) -> Iterator[Path]:
    for file in folder.glob(pattern):
        if name.fullmatch(file.relative_to(folder).as_posix()):
            yield file


def _read_all(files: Sequence[Path]) -> dict[Path, Content]:
    """The content of each, several at a time: hashing leaves Python to the others."""
    sizes = list(map(_size, files))
    with (
        tqdm(total=sum(sizes), desc="verify", unit="B", unit_scale=True, disable=None) as bar,
        ThreadPoolExecutor(os.cpu_count()) as threads,
    ):
        contents = {}
        for file, size, content in zip(files, sizes, threads.map(_read, files), strict=True):
            contents[file] = content
            bar.update(size)
    return contents


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _read(file: Path) -> Content:
    try:
        return Content(md5_of(file), _size(file), "it is gone")
    except OSError as error:
        return Content(None, 0, error.strerror or type(error).__name__)
