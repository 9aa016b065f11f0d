"""Calls of git; without git or a repository they return nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path


def head_commit(folder: Path) -> str | None:
    """The checked-out commit; None if there is none."""
    return git(folder, "rev-parse", "HEAD").strip() or None


def path_from_top(folder: Path) -> tuple[str, str]:
    """The path from a folder to the top of its repository, and from the top to the folder."""
    to_top, _, to_folder = git(folder, "rev-parse", "--show-cdup", "--show-prefix").partition("\n")
    return to_top or ".", to_folder.strip()


def git(folder: Path, *words: str) -> str:
    """The output of git; empty if it fails."""
    return (git_bytes(folder, *words) or b"").decode(errors="replace")


def git_bytes(folder: Path, *words: str) -> bytes | None:
    """The output of git as bytes; None if it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
