"""The commit, and what the tree has beyond it."""

from __future__ import annotations

import subprocess

import pytest

from dvcview.tracking.environment import capture_environment, git_state

LOCK = """
stages:
  lenet:
    cmd: python
    outs:
    - path: results/lenet/metrics.json
      md5: 840c1de8b81d90677fb9f7b6acd64fb1
"""


@pytest.fixture
def project(tmp_path):
    def git(*words):
        subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True)

    for name in ("params.yaml", "dvc.lock", "results/lenet/metrics.json", "src/code.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("old\n")
    (tmp_path / "dvc.lock").write_text(LOCK)
    git("init", "--quiet")
    git("add", "--all")
    git("-c", "user.name=t", "-c", "user.email=t@example.invalid", "commit", "-q", "-m", "one")
    return tmp_path


def test_what_dvc_writes_makes_no_tree_dirty(project):
    commit, diff = git_state(project)
    assert len(commit) == 40
    assert diff == ""
    (project / "dvc.lock").write_text(f"{LOCK}# new\n")
    (project / "results/lenet/metrics.json").write_text("new\n")
    (project / "results/lenet/.gitignore").write_text("/weights\n")
    assert git_state(project) == (commit, "")


@pytest.mark.parametrize("name", ["src/code.py", "params.yaml"])
def test_what_a_person_edits_does(project, name):
    (project / name).write_text("new\n")
    _, diff = git_state(project)
    assert f"+++ b/{name}" in diff
    assert "-old" in diff
    assert "+new" in diff


def test_dvc_exp_run_writes_the_parameters_itself(project):
    (project / "params.yaml").write_text("new\n")
    assert git_state(project, in_experiment=True)[1] == ""


@pytest.mark.parametrize("name", [".dvc/config", ".dvc/config.local", ".env", "a/.env.local"])
def test_what_may_hold_keys_is_named_and_not_shown(project, name):
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text("old\n")
    subprocess.run(["git", "add", "--all"], cwd=project, check=True)
    (project / name).write_text("the key\n")
    assert git_state(project)[1] == f"changed, not in this diff: {name}\n"


def test_a_password_in_the_code_is_not_shown(project):
    (project / "src/code.py").write_text(
        "fetch('https://me:open-sesame@host/x', password='sesame')"
    )
    _, diff = git_state(project)
    assert "https://***@host/x" in diff
    assert "sesame" not in diff


def test_a_new_file_is_named(project):
    (project / "src/new.py").write_text("x\n")
    assert "not committed, not in this diff: src/new.py" in git_state(project)[1]


def test_without_git_nothing_is_known(tmp_path):
    assert git_state(tmp_path) == (None, "")


def test_versions_and_machine_are_told():
    import torch

    tags = capture_environment("cpu")["tags"]
    assert tags["torch"] == torch.__version__
    assert tags["threads"] == str(torch.get_num_threads())
    assert tags["device"] == "cpu"
