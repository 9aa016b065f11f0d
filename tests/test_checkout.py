"""What git checks out is the same on every system."""

from __future__ import annotations

import subprocess

import pytest

from dvcview.project.git import in_repository
from tests.imports import ROOT


def git(*words: object) -> str:
    done = subprocess.run(
        ["git", *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.skipif(not in_repository(ROOT), reason="not in a git repository")
def test_a_checkout_as_on_windows_has_the_same_bytes(tmp_path):
    """dvc.lock has the MD5 of text files, and a shell does not run a script with CRLF."""
    git("clone", "--quiet", "-c", "core.autocrlf=true", ROOT, tmp_path / "clone")
    tracked = git("-C", tmp_path / "clone", "ls-files", "-z").split("\0")[:-1]
    assert ".ci/run" in tracked
    for name in tracked:
        committed = subprocess.run(
            ["git", "show", f"HEAD:{name}"], cwd=ROOT, capture_output=True, check=True
        ).stdout
        assert (tmp_path / "clone" / name).read_bytes() == committed, name
