"""Calls of git; without git or a repository they return nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from dvcview.errors import UserError

# Git sets these in hooks. They would make a call in any folder use the hook's repository.
REPOSITORY_VARIABLES = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_DIR", "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE", "GIT_NAMESPACE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
}  # fmt: skip
# What the user may have configured for people, and would change what we read.
PLAIN = ("-c", "color.ui=false", "-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false")


def head_commit(folder: Path) -> str | None:
    """The checked-out commit; None if there is none."""
    return git(folder, "rev-parse", "HEAD").strip() or None


def path_from_top(folder: Path) -> tuple[str, str]:
    """The path from a folder to the top of its repository, and from the top to the folder."""
    to_top, _, to_folder = git(folder, "rev-parse", "--show-cdup", "--show-prefix").partition("\n")
    return to_top or ".", to_folder.strip()


def has_identity(folder: Path) -> bool:
    """Whether git's configuration has the user's name and address, which a commit needs."""
    return all(git(folder, "config", f"user.{key}").strip() for key in ("name", "email"))


def in_repository(folder: Path) -> bool:
    """Whether a folder is in a git repository, also if git is missing or refuses to read it."""
    here = folder.resolve()
    return any((above / ".git").exists() for above in (here, *here.parents))


def git(folder: Path, *words: str) -> str:
    """The output of git; empty if it fails."""
    return (git_bytes(folder, *words) or b"").decode(errors="replace")


def environment_of_git() -> dict[str, str]:
    """The environment variables for a call of git: no hook's repository, and English messages."""
    kept = {k: v for k, v in os.environ.items() if k not in REPOSITORY_VARIABLES}
    return {**kept, "LC_ALL": "C"}


def git_bytes(folder: Path, *words: str) -> bytes | None:
    """The output of git as bytes; None if it fails.

    Raises:
        UserError: git refuses to read the repository, because it belongs to another user.
    """
    try:
        done = subprocess.run(
            ["git", *PLAIN, "-C", str(folder), *words],
            capture_output=True, check=False, timeout=30, env=environment_of_git(),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode and b"dubious ownership" in done.stderr:
        raise UserError(
            f"git does not read {folder}, because it belongs to another user; if you trust it, "
            f"run: git config --global --add safe.directory {folder.resolve()}"
        )
    return done.stdout if done.returncode == 0 else None
