"""dvc.lock as states, held to what DVC itself computes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dvcview.files.checksum import md5_of, md5_of_outs
from dvcview.project.lockfile import MissingFileError, Pipeline, experiments, read_states
from tests.imports import ROOT

DVC_YAML = """
stages:
  make:
    cmd: python make.py
    deps: [make.py]
    params: [size, deep]
    outs: [folder, file.txt]
    metrics: [metrics.json: {cache: false}]
"""
MAKE = """
from pathlib import Path
Path("folder/below").mkdir(parents=True, exist_ok=True)
Path("folder/b.txt").write_text("b")
Path("folder/a.txt").write_text("a")
Path("folder/below/c.txt").write_text("c")
Path("file.txt").write_text("file")
Path("metrics.json").write_text("{}")
"""


def call(folder, *words):
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A pipeline of one stage, run by the real dvc, committed."""
    folder = tmp_path_factory.mktemp("dvc")
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "params.yaml").write_text("size: 3\ndeep:\n  wide: 1.0\n  name: x\n")
    (folder / "make.py").write_text(MAKE)
    dvc = str(Path(sys.executable).with_name("dvc"))
    for words in (
        ("git", "init", "--quiet", "--initial-branch=main"),
        ("git", "config", "user.name", "test"),
        ("git", "config", "user.email", "test@example.invalid"),
        (dvc, "init", "--quiet"),
        (dvc, "repro", "--quiet"),
        ("git", "add", "--all"),
        ("git", "commit", "--quiet", "--message", "one"),
    ):
        call(folder, *words)
    return folder


@pytest.fixture
def state(project):
    return Pipeline(project, project, None).states()["make"]


def test_a_state_is_what_went_in_and_what_came_out(state):
    assert state.cmd == "python make.py"
    assert set(state.deps) == {"make.py"}
    assert state.params == {"size": 3, "deep.wide": 1.0, "deep.name": "x"}
    assert set(state.outs) == {"folder", "file.txt", "metrics.json"}


def test_our_md5_is_dvcs_of_files_and_folders(project, state):
    for path, md5 in state.outs.items():
        assert md5_of(project / path) == md5
    assert md5_of(project / "nothing") is None


def test_a_stages_report_of_its_outs_has_folders_and_files(project, state, monkeypatch):
    monkeypatch.chdir(project)
    report = md5_of_outs(Path("folder"))
    assert report["folder"] == state.outs["folder"]
    assert set(report) == {
        "folder", "folder/a.txt", "folder/b.txt", "folder/below", "folder/below/c.txt"
    }  # fmt: skip
    assert md5_of_outs(Path("file.txt")) == {"file.txt": state.outs["file.txt"]}


def test_files_in_folders_are_found_by_name(project, state):
    pipeline = Pipeline(project, project, None)
    assert set(pipeline.files(state)) == {
        "file.txt", "metrics.json", "folder/a.txt", "folder/b.txt", "folder/below/c.txt",
    }  # fmt: skip
    found = pipeline.find_within("folder", state.outs["folder"], "below/c.txt")
    assert found.read_text() == "c"
    assert pipeline.find_within("folder", state.outs["folder"], "d.txt") is None


def test_files_are_found_in_the_cache_and_in_a_commit_when_the_folder_has_others(project, state):
    head = call(project, "git", "rev-parse", "HEAD").strip()
    elsewhere = Pipeline(project, None, head)
    assert elsewhere.states()["make"] == state
    for path, md5 in elsewhere.files(state).items():
        assert md5_of(elsewhere.find(path, md5)) == md5
    assert elsewhere.find("file.txt", "0" * 32) is None
    with pytest.raises(MissingFileError, match="folder"):
        elsewhere.find_within("folder", "0" * 32 + ".dir", "a.txt")


def test_another_value_another_out_another_command_is_another_state(project, state):
    text = (project / "dvc.lock").read_text()
    assert read_states(text)["make"].digest == state.digest
    for old, new in {
        "size: 3\n": "size: 4\n",
        state.outs["file.txt"]: "0" * 32,
        "cmd: python": "cmd: python3",
    }.items():
        assert old in text
        assert read_states(text.replace(old, new))["make"].digest != state.digest
    assert read_states("") == {}


def test_experiments_are_read_from_gits_refs(project):
    assert experiments(project) == []
    head = call(project, "git", "rev-parse", "HEAD").strip()
    call(project, "git", "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/brief-one", head)
    call(project, "git", "update-ref", "refs/exps/stash", head)
    (found,) = experiments(project)
    assert (found.name, found.revision) == ("brief-one", head)


def test_the_cache_is_where_the_user_has_put_it(project, tmp_path):
    local = project / ".dvc/config.local"
    local.write_text(f"[cache]\n    dir = {tmp_path}\n")
    assert Pipeline(project, project, None).cache == tmp_path / "files" / "md5"
    local.unlink()
    assert Pipeline(project, project, None).cache == project / ".dvc/cache/files/md5"


def test_the_committed_lock_is_read_whole():
    states = Pipeline(ROOT, ROOT, None).states()
    assert len(states) == 25
    assert all(state.outs for state in states.values())
