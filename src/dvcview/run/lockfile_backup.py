"""A backup of dvc.lock. DVC writes it in place, so a kill can truncate it."""

from __future__ import annotations

import re
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dvcview.console import log
from dvcview.files.artifacts import write_bytes
from dvcview.project.git import git_bytes
from dvcview.project.lockfile import LOCKFILE

BACKUP = Path(".dvcview/dvc.lock.backup")
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


def back_up_lockfile() -> None:
    """Copy dvc.lock as it is now, if it is complete."""
    text = LOCKFILE.read_bytes() if LOCKFILE.exists() else b""
    if is_complete(text) and (not BACKUP.exists() or BACKUP.read_bytes() != text):
        write_bytes(BACKUP, text)


def repair_lockfile() -> None:
    """Replace a truncated dvc.lock by the last complete one, and log it.

    DVC restores the entry that it was about to add from its run cache.
    """
    if not LOCKFILE.exists() or is_complete(LOCKFILE.read_bytes()):
        return
    backup = BACKUP.read_bytes() if BACKUP.exists() else b""
    committed = git_bytes(Path.cwd(), "show", f"HEAD:./{LOCKFILE}") or b""
    for text, source in ((backup, "the backup of the last stage"), (committed, "git")):
        if is_complete(text):
            write_bytes(LOCKFILE, text)
            log(f"{LOCKFILE} was truncated while DVC wrote it; restored from {source}")
            return
    LOCKFILE.unlink()
    log(f"{LOCKFILE} was truncated while DVC wrote it; removed, so every stage counts as new")


def is_complete(text: bytes) -> bool:
    """Whether this is a dvc.lock that DVC can read."""
    try:
        content = YAML(typ="safe").load(text)
    except (YAMLError, ValueError):
        return False
    match content:
        case {"schema": str(), "stages": {**stages}}:
            return all(_is_complete_entry(entry) for entry in stages.values())
    return False


def _is_complete_entry(entry: object) -> bool:
    """Whether a stage's entry is complete.

    A truncated entry often parses as an empty value or as text, and half of an MD5 sometimes as a
    number, such as 3e11970235.
    """
    match entry:
        case {"cmd": str(), "deps": [*deps], "outs": [*outs]}:
            return all(map(_is_complete_file, [*deps, *outs]))
    return False


def _is_complete_file(file: object) -> bool:
    match file:
        case {"path": str(), "md5": str(md5), **others}:
            return bool(MD5.fullmatch(md5)) and None not in others.values()
    return False
