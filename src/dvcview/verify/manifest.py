"""The manifest: the MD5 of each file of the workspace and of DVC's cache.

DVC reuses the MD5 of a file whose size, modification time and inode are unchanged, and does not
read a write-protected object of its cache again. So it does not detect bit rot. The manifest is
built by reading every byte.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dvcview.console import progress_bar
from dvcview.files.checksum import md5_of, md5_of_listing
from dvcview.project.lockfile import Pipeline

OBJECT = re.compile(r"[0-9a-f]{2}/[0-9a-f]{30}(\.dir)?")  # DVC gives unfinished copies other names
RUN = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}/[0-9a-f]{64}")


@dataclass(frozen=True)
class Content:
    """The MD5 and size of a file, or the reason why it could not be read."""

    md5: str | None  # None if the file could not be read
    size: int  # bytes
    error: str = ""

    def __str__(self) -> str:
        return f"its md5 is {self.md5}" if self.md5 else f"cannot be read ({self.error})"


@dataclass(frozen=True)
class Manifest:
    """The content of each file.

    Attributes:
        root: the project's folder.
        cache: the folder of the cached objects.
        workspace: the content of each file of an out, by its path in the project.
        objects: the content of each cached object, by its name (the MD5, with .dir for a folder).
        runs: the entries of DVC's run cache, one file per run of a stage.
    """

    root: Path
    cache: Path
    workspace: Mapping[str, Content]
    objects: Mapping[str, Content]
    runs: Sequence[Path]

    def short(self, path: Path) -> str:
        """A path relative to the project's folder; unchanged if it is outside of it."""
        return str(path.relative_to(self.root) if path.is_relative_to(self.root) else path)

    def object_path(self, name: str) -> str:
        """The path of an object in DVC's cache."""
        return self.short(self.cache / name[:2] / name[2:])

    def has_object(self, name: str) -> bool:
        """Whether the cache has an intact object of this name."""
        return name in self.objects and self.objects[name].md5 == name.removesuffix(".dir")

    def has_out(self, path: str, md5: str) -> bool:
        """Whether the file or folder `path` of the workspace has this MD5."""
        if md5.endswith(".dir"):
            return md5_of_listing(self.listing(path)) == md5
        return path in self.workspace and self.workspace[path].md5 == md5

    def is_there(self, path: str) -> bool:
        """Whether `path` is a file of the workspace or a folder with at least one file."""
        return path in self.workspace or bool(self.listing(path))

    def listing(self, folder: str) -> list[dict[str, str]]:
        """The files in a folder of the workspace and its subfolders, as DVC lists them."""
        files = [
            {"md5": content.md5 or "", "relpath": path.removeprefix(f"{folder}/")}
            for path, content in self.workspace.items()
            if path.startswith(f"{folder}/")
        ]
        return sorted(files, key=lambda entry: entry["relpath"])

    def copy_of(self, md5: str) -> str | None:
        """The path of a file of the workspace with this MD5; None if there is none."""
        return self._path_by_md5.get(md5)

    @cached_property
    def _path_by_md5(self) -> dict[str, str]:
        return {content.md5: path for path, content in self.workspace.items() if content.md5}


def build_manifest(pipeline: Pipeline, outs: Iterable[str]) -> Manifest:
    """Read every file of these outs and of DVC's cache."""
    root, cache = pipeline.root, pipeline.cache
    workspace = {file for out in outs for file in _files_of(root / out)}
    objects = set(_files_named(OBJECT, cache, "*/*"))
    contents = _read_all(sorted(workspace | objects))
    return Manifest(
        root,
        cache,
        {file.relative_to(root).as_posix(): contents[file] for file in sorted(workspace)},
        {f"{file.parent.name}{file.name}": contents[file] for file in sorted(objects)},
        sorted(_files_named(RUN, cache.parents[1] / "runs", "*/*/*")),
    )


def _files_of(out: Path) -> list[Path]:
    paths = out.rglob("*") if out.is_dir() else [out]
    return [path for path in paths if path.is_file()]


def _files_named(name: re.Pattern[str], folder: Path, pattern: str) -> Iterator[Path]:
    for file in folder.glob(pattern):
        if name.fullmatch(file.relative_to(folder).as_posix()):
            yield file


def _read_all(files: Sequence[Path]) -> dict[Path, Content]:
    """The content of each file. Threads read in parallel, because hashing releases the GIL."""
    sizes = list(map(_size, files))
    with (
        progress_bar(total=sum(sizes), desc="verify", unit="B", unit_scale=True) as bar,
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
        return Content(md5_of(file), _size(file), "it was deleted")
    except OSError as error:
        return Content(None, 0, error.strerror or type(error).__name__)
