"""What git knows of the project; nothing where there is no git."""

from __future__ import annotations

import subprocess
from pathlib import Path


def head_commit(folder: Path) -> str | None:
    """The commit that is checked out; None where there is none."""
    return git(folder, "rev-parse", "HEAD").strip() or None


def git(folder: Path, *words: str) -> str:
    """What git prints; nothing where there is no git or no repository."""
    return (git_bytes(folder, *words) or b"").decode(errors="replace")


def git_bytes(folder: Path, *words: str) -> bytes | None:
    """What git prints, as it is; None when it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
