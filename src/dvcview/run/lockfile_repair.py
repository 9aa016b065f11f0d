"""Repairs dvc.lock. DVC writes it in place, so a kill can truncate it."""

from __future__ import annotations

from pathlib import Path

from dvcview.console import log
from dvcview.files.artifacts import write_bytes
from dvcview.project.git import git_bytes
from dvcview.project.lock_copies import is_complete, is_truncated, newest_copy
from dvcview.project.lockfile import LOCKFILE


def repair_lockfile() -> None:
    """Replace a truncated dvc.lock by the last complete one, and log it.

    DVC restores the entry that it was about to add from its run cache.
    """
    if not LOCKFILE.exists() or not is_truncated(LOCKFILE.read_bytes()):
        return
    here = Path.cwd()
    committed = git_bytes(here, "show", f"HEAD:./{LOCKFILE}") or b""
    for text, source in ((newest_copy(here), "the copy of the last stage"), (committed, "git")):
        if is_complete(text):
            write_bytes(LOCKFILE, text)
            log(f"{LOCKFILE} was truncated while DVC wrote it; restored from {source}")
            return
    LOCKFILE.unlink()
    log(f"{LOCKFILE} was truncated while DVC wrote it; removed, so every stage counts as new")
