"""md5 of files and folders, as dvc.lock has them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def md5_of_bytes(content: bytes) -> str:
    """In hexadecimal, for telling contents apart."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def md5_of(path: Path) -> str | None:
    """Of a file its md5, of a folder that of the list of its files; None where there is nothing."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return md5_of_listing(list_folder(path)) if path.is_dir() else None


def md5_of_listing(files: list[dict[str, str]]) -> str:
    """Of a folder with these files."""
    return md5_of_bytes(json.dumps(files, sort_keys=True).encode()) + ".dir"


def list_folder(path: Path) -> list[dict[str, str]]:
    """The files below a folder, as DVC lists them."""
    files = [
        {"md5": md5_of(file) or "", "relpath": file.relative_to(path).as_posix()}
        for file in path.rglob("*")
        if file.is_file()
    ]
    return sorted(files, key=lambda entry: entry["relpath"])


def md5_of_outs(path: Path) -> dict[str, str]:
    """Of a file, or of a folder and of everything in it, by path."""
    if not path.is_dir():
        return {path.as_posix(): md5_of(path) or ""}
    files = list_folder(path)
    outs = {(path / entry["relpath"]).as_posix(): entry["md5"] for entry in files}
    return outs | {path.as_posix(): md5_of_listing(files)}
