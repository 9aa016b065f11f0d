"""The files of the project, as git would commit them now."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from dvcview.project.git import in_repository
from tests.imports import ROOT


def listed_files(*pathspecs: str) -> list[str]:
    """The files that .gitignore does not exclude; an unpacked archive needs no repository."""
    with tempfile.TemporaryDirectory() as scratch:
        repository: list[str] = []
        if not in_repository(ROOT):
            subprocess.run(["git", "init", "--quiet", "--bare", scratch], check=True)
            repository = [f"--git-dir={scratch}", f"--work-tree={ROOT}", "-c", "core.bare=false"]
        listed = subprocess.run(
            ["git", *repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard",
             "--", *pathspecs],
            cwd=ROOT, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    names = filter(None, listed.split("\0"))
    return sorted({name for name in names if Path(ROOT, name).is_file()})
