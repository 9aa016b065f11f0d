"""A small pipeline, run by the real dvc and committed: a file, a folder, metrics that git keeps."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DVC_YAML = """
stages:
  make:
    cmd: python make.py
    deps: [make.py]
    params: [wide]
    outs: [folder, file.txt]
    metrics: [metrics.json: {cache: false}]
  other:
    cmd: cp file.txt other.txt
    deps: [file.txt]
    outs: [other.txt]
"""
MAKE = """
from pathlib import Path
Path("folder/below").mkdir(parents=True, exist_ok=True)
Path("folder/b.txt").write_text("bee")
Path("folder/a.txt").write_text("a")
Path("folder/below/c.txt").write_text("sea")
Path("file.txt").write_text("file")
Path("metrics.json").write_text('{"loss": 1}')
"""


class Small:
    """The project's folder, and a shell in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def shell(self, command: str, *, ok: bool = True) -> str:
        programs = Path(sys.executable).parent
        environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh", "-c", command], cwd=self.root, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert not ok or done.returncode == 0, done.stderr
        return done.stdout

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def flip(self, name: str, *, keep_time: bool = True) -> None:
        """Flip a bit in the middle; with its time kept, DVC takes the file for what it was."""
        file = self.root / name
        was = file.stat()
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.chmod(0o644)
        with file.open("r+b") as opened:
            opened.write(content)
        file.chmod(was.st_mode)
        if keep_time:
            os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Small:
    """Nobody changes it."""
    small = Small(tmp_path_factory.mktemp("small"))
    (small.root / "dvc.yaml").write_text(DVC_YAML)
    (small.root / "params.yaml").write_text("wide: 3\n")
    (small.root / "make.py").write_text(MAKE)
    for command in (
        "git init --quiet --initial-branch=main",
        "git config user.name test && git config user.email test@example.invalid",
        "dvc init --quiet && dvc repro --quiet",
        "git add --all && git commit --quiet --message one",
    ):
        small.shell(command)
    return small


@pytest.fixture
def small(made, tmp_path) -> Small:
    """A copy, to be damaged."""
    copy = Small(tmp_path / "small")
    shutil.copytree(made.root, copy.root)
    copy.shell("dvc status --quiet")  # DVC has the md5 of each file in mind
    return copy
