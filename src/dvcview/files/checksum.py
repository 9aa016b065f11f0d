"""Checksums: the MD5 of files and folders, as dvc.lock has them, and files that contain their own.

A checksummed file begins with the SHA-256 of the rest, so a reader can tell whether it is intact.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from dvcview.files.artifacts import write_bytes

DIGEST_SIZE = hashlib.sha256().digest_size


def md5_of_bytes(content: bytes) -> str:
    """The MD5 in hexadecimal; it identifies contents, and does not protect against attackers."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def md5_of(path: Path) -> str | None:
    """The MD5 of a file, or of the listing of a folder; None if there is nothing at `path`."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return md5_of_listing(list_folder(path)) if path.is_dir() else None


def md5_of_listing(files: list[dict[str, str]]) -> str:
    """The MD5 of a folder with these files, as DVC computes it."""
    return md5_of_bytes(json.dumps(files, sort_keys=True).encode()) + ".dir"


def list_folder(path: Path) -> list[dict[str, str]]:
    """The files in a folder and its subfolders, as DVC lists them."""
    files = [
        {"md5": md5_of(file) or "", "relpath": file.relative_to(path).as_posix()}
        for file in path.rglob("*")
        if file.is_file()
    ]
    return sorted(files, key=lambda entry: entry["relpath"])


def md5_of_outs(path: Path) -> dict[str, str]:
    """The MD5 of a file, or of a folder and of every file and folder in it, by path."""
    if not path.is_dir():
        return {path.as_posix(): md5_of(path) or ""}
    files = list_folder(path)
    outs = {(path / entry["relpath"]).as_posix(): entry["md5"] for entry in files}
    for folder in {parent for entry in files for parent in Path(entry["relpath"]).parents}:
        below = [
            {**entry, "relpath": Path(entry["relpath"]).relative_to(folder).as_posix()}
            for entry in files
            if Path(entry["relpath"]).is_relative_to(folder)
        ]
        outs[(path / folder).as_posix()] = md5_of_listing(below)
    return outs


def write_checksummed(path: Path, content: bytes | memoryview) -> None:
    """Write a file that begins with its own SHA-256, atomically."""
    write_bytes(path, hashlib.sha256(content).digest(), content)


def read_checksummed(path: Path) -> bytes | None:
    """The content of a checksummed file; None if it is missing or damaged."""
    if not path.exists():
        return None
    stored = path.read_bytes()
    digest, content = stored[:DIGEST_SIZE], stored[DIGEST_SIZE:]
    return content if hashlib.sha256(content).digest() == digest else None
