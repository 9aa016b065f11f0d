"""Repairs dvc.lock. DVC writes it in place, so a kill can truncate it."""

from __future__ import annotations

import re
from pathlib import Path

from dvcview.console import log
from dvcview.errors import UserError
from dvcview.files.artifacts import write_bytes
from dvcview.project.git import git_bytes
from dvcview.project.lock_copies import is_complete, is_truncated, newest_copy
from dvcview.project.lockfile import LOCKFILE

CONFLICT = re.compile(rb"^(<<<<<<< |>>>>>>> )", re.MULTILINE)


def repair_lockfile() -> None:
    """Replace a truncated dvc.lock by the last complete one, and log it.

    DVC restores the entry that it was about to add from its run cache.

    Raises:
        UserError: the file has the conflict markers of a merge.
    """
    text = LOCKFILE.read_bytes() if LOCKFILE.exists() else b""
    if CONFLICT.search(text):
        raise UserError(
            f"{LOCKFILE}: it has the conflict markers of a merge; take one side, such as "
            f"`git checkout --ours {LOCKFILE}`, then run the same command again"
        )
    if not LOCKFILE.exists() or not is_truncated(text):
        return
    here = Path.cwd()
    committed = git_bytes(here, "show", f"HEAD:./{LOCKFILE}") or b""
    for copy, source in ((newest_copy(here), "the copy of the last stage"), (committed, "git")):
        if is_complete(copy):
            write_bytes(LOCKFILE, copy)
            log(f"{LOCKFILE} was truncated while DVC wrote it; restored from {source}")
            return
    LOCKFILE.unlink()
    log(f"{LOCKFILE} was truncated while DVC wrote it; removed, so every stage counts as new")
