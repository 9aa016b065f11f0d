"""Copies of dvc.lock: `.dvcview/locks/TIME.lock` for each dvc.lock that a stage or a sync has seen.

DVC has only the present dvc.lock, and writes it in place. The copies restore a dvc.lock that a kill
has truncated, have the entry of a stage that another execution has already overwritten, and show
which entries an execution has changed.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dvcview.files.artifacts import write_bytes
from dvcview.project.root import make_state_folder

COPIES = Path(".dvcview/locks")
HEADER = b"schema: '2.0'\nstages:\n"  # how DVC begins the file
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
HASHES = {"md5", "etag", "checksum", "files", "dataset"}


def keep_copy(root: Path) -> None:
    """Copy dvc.lock, unless it is truncated or equal to the newest copy.

    A copy is empty if there is no dvc.lock.
    """
    lock = root / "dvc.lock"
    text = lock.read_bytes() if lock.exists() else b""
    copies = _copies(root)
    if copies and copies[-1].read_bytes() == text:
        return
    if not lock.exists() or is_complete(text):
        make_state_folder(root)
        write_bytes(root / COPIES / f"{time.time_ns() // 1_000_000}.lock", text)


def newest_copy(root: Path) -> bytes:
    """The newest copy; empty if there is none."""
    copies = _copies(root)
    return copies[-1].read_bytes() if copies else b""


def copy_before(root: Path, time: float) -> str:
    """The last copy from before a time, or else the first one; `time` is in milliseconds."""
    copies = _copies(root)
    earlier = [file for file in copies if int(file.stem) < time]
    chosen = earlier[-1:] or copies[:1]
    return chosen[0].read_text(encoding="utf-8") if chosen else ""


def copies_since(root: Path, time: float) -> list[str]:
    """The copies since a time, oldest first, and then the one that was the newest at that time."""
    copies = _copies(root)
    later = [file for file in copies if int(file.stem) >= time]
    earlier = copies[: len(copies) - len(later)]
    return [file.read_text(encoding="utf-8") for file in (*later, *earlier[-1:])]


def delete_old_copies(root: Path) -> None:
    """Delete all copies but the newest."""
    for file in _copies(root)[:-1]:
        file.unlink(missing_ok=True)


def _copies(root: Path) -> list[Path]:
    return sorted((root / COPIES).glob("*.lock"), key=lambda file: int(file.stem))


def is_truncated(text: bytes) -> bool:
    """Whether DVC was killed while it wrote this text; a file of another format is not its own."""
    return (text.startswith(HEADER) or HEADER.startswith(text)) and not is_complete(text)


def is_complete(text: bytes) -> bool:
    """Whether this is a dvc.lock that DVC can read."""
    try:
        content = YAML(typ="safe").load(text)
    except (YAMLError, ValueError):
        return False
    match content:
        case {"schema": str(), "stages": {**stages}}:
            return all(map(_is_complete_entry, stages.values()))
    return False


def _is_complete_entry(entry: object) -> bool:
    """Whether a stage's entry is complete.

    A truncated entry often parses as an empty value or as text, and half of an MD5 sometimes as a
    number, such as 3e11970235.
    """
    match entry:
        case {"cmd": str() | list(), **others}:
            files = (others.get("deps", []), others.get("outs", []))
            return _is_mapping_of_mappings(others.get("params", {})) and all(
                isinstance(part, list) and all(map(_has_hash, part)) for part in files
            )
    return False


def _is_mapping_of_mappings(params: object) -> bool:
    return isinstance(params, dict) and all(isinstance(one, dict) for one in params.values())


def _has_hash(file: object) -> bool:
    match file:
        case {"path": str(), **others}:
            md5 = others.get("md5", "0" * 32)
            return (
                bool(HASHES & set(others))
                and None not in others.values()
                and isinstance(md5, str)
                and bool(MD5.fullmatch(md5))
            )
    return False
