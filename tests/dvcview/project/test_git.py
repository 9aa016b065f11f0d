"""What git says to us does not depend on the user's settings, and a refusal is no empty answer."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dvcview.errors import UserError
from dvcview.project.git import git, head_commit
from dvcview.tracking.environment import capture_environment, git_state


def repository(folder: Path) -> Path:
    """A repository with one commit and one change."""
    folder.mkdir()
    for words in (
        ["init", "--quiet"],
        ["config", "user.name", "test"],
        ["config", "user.email", "test@example.invalid"],
    ):
        subprocess.run(["git", "-C", folder, *words], check=True)
    (folder / "file").write_text(f"{folder.name}\n")
    for words in (["add", "."], ["commit", "--quiet", "--message", "x"]):
        subprocess.run(["git", "-C", folder, *words], check=True)
    (folder / "file").write_text("changed\n")
    return folder


def test_a_hook_of_another_repository_changes_no_answer(tmp_path, monkeypatch):
    ours, other = repository(tmp_path / "ours"), repository(tmp_path / "other")
    commit = head_commit(ours)
    assert commit != head_commit(other)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    assert head_commit(ours) == commit
    assert git(ours, "show", "HEAD:file") == "ours\n"


@pytest.mark.parametrize(
    "setting",
    ["color.ui=always", "diff.external=false", "diff.noprefix=true", "diff.mnemonicPrefix=true"],
)
def test_the_user_s_settings_change_no_diff(tmp_path, monkeypatch, setting):
    ours = repository(tmp_path / "ours")
    _, plain = git_state(ours)
    assert "-ours\n+changed\n" in plain
    key, value = setting.split("=")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", key)
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", value)
    assert git_state(ours)[1] == plain


def test_a_repository_of_another_user_is_one_line_that_says_what_to_do(tmp_path, monkeypatch):
    ours = repository(tmp_path / "ours")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(UserError, match=r"belongs to another user.*safe\.directory .*/ours$"):
        head_commit(ours)
    monkeypatch.chdir(ours)  # a stage records what it can
    recorded = capture_environment("cpu")
    assert (recorded["commit"], recorded["diff"]) == (None, "")


def test_without_git_or_a_repository_there_is_no_answer(tmp_path, monkeypatch):
    assert head_commit(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git(tmp_path, "status") == ""
