"""`read_definitions`, also while DVC is writing dvc.lock."""

from __future__ import annotations

import subprocess
import threading

import pytest

from dvcview.errors import UserError
from dvcview.project.definitions import read_definitions

LOCK = "schema: '2.0'\nstages:\n  one:\n    cmd: 'true'\n"


@pytest.fixture
def project(tmp_path):
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["dvc", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / "dvc.yaml").write_text("stages:\n  one:\n    cmd: 'true'\n")
    return tmp_path


def test_a_half_written_lock_is_read_again(project):
    (project / "dvc.lock").write_text(LOCK[:-8])
    timer = threading.Timer(0.3, (project / "dvc.lock").write_text, [LOCK])
    timer.start()
    try:
        assert "one" in read_definitions(project).stages["dvc.yaml"]
    finally:
        timer.join()


def test_a_lock_that_stays_broken_is_one_line(project):
    (project / "dvc.lock").write_text(LOCK[:-8])
    with pytest.raises(UserError, match=r"DVC cannot read this project: .*dvc\.lock"):
        read_definitions(project)
