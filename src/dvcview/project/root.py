"""The folder of a DVC project, and dvcview's own folder in it."""

from __future__ import annotations

from pathlib import Path

from dvcview.errors import UserError
from dvcview.files.artifacts import writable

STATE_FOLDER = Path(".dvcview")


def root_of(folder: Path) -> Path | None:
    """The nearest folder with `.dvc`, from `folder` upwards; None if there is none."""
    return next((f for f in (folder, *folder.parents) if (f / ".dvc").is_dir()), None)


def find_root(folder: Path) -> Path:
    """Like `root_of`.

    Raises:
        UserError: there is no such folder.
    """
    root = root_of(folder)
    if root is None:
        raise UserError(f"no DVC project in {folder} or above it; `dvc init` creates one")
    return root


def make_state_folder(root: Path) -> Path:
    """The folder of event logs and locks; git ignores it, without an entry in .gitignore."""
    folder = root / STATE_FOLDER
    with writable(folder):
        folder.mkdir(exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    return folder
