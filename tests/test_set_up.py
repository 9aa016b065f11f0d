"""The set-up refuses what it cannot work with, in one line, before it writes anything."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.imports import ROOT


@pytest.fixture
def set_up(monkeypatch):
    spec = importlib.util.spec_from_file_location("set_up", ROOT / "tools" / "set_up.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "DISK_GB", 0)
    monkeypatch.setattr(module, "really_call", module.call, raising=False)
    monkeypatch.setattr(module, "call", lambda *words: pytest.fail(f"called {words}"))
    return module


def message(set_up):
    with pytest.raises(SystemExit) as stopped:
        set_up.main()
    (line,) = str(stopped.value).splitlines()
    return line


@pytest.mark.parametrize(
    ("version", "supported"),
    [
        ((2, 7, 18), False),
        ((3, 11, 3), False),
        ((3, 11, 4), True),
        ((3, 14, 9), True),
        ((3, 15, 0), False),
    ],
)
def test_the_oldest_and_the_newest_python(set_up, version, supported):
    assert set_up.supported(version) is supported


def test_every_file_names_the_same_pythons(set_up):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest, newest = ".".join(map(str, set_up.OLDEST)), set_up.NEWEST
    assert project["requires-python"] == f">={oldest},<3.{newest[1] + 1}"
    minors = range(set_up.OLDEST[1], newest[1] + 1)
    classifiers = {f"Programming Language :: Python :: 3.{minor}" for minor in minors}
    assert {line for line in project["classifiers"] if ":: 3." in line} == classifiers
    environment = (ROOT / "python_env.yaml").read_text(encoding="utf-8")
    assert f'python: ">=3.{minors[0]},<3.{newest[1] + 1}"' in environment
    assert f"Python {oldest} to 3.{newest[1]}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_each_package_has_one_version_for_all_pythons(set_up):
    lines = set_up.LOCK.read_text(encoding="utf-8").splitlines()
    names = [line.split("==")[0] for line in lines if line[:1].isalnum()]
    assert len(names) == len(set(names)) > 100


def program(folder, name, text):
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


def test_another_python_of_the_path_is_taken(set_up, monkeypatch, tmp_path, capsys):
    program(tmp_path, "python3.14", "echo 'pyenv: command not found' >&2; exit 127")
    program(tmp_path, "python3.13", "echo 3 10 9")
    found = program(tmp_path, "python3.12", f'exec {sys.executable} "$@"')
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "version_info", (3, 10, 9))
    assert set_up.find_python(tmp_path / "bootstrap") == str(found)
    assert capsys.readouterr().out.splitlines() == [
        "set-up: this is Python 3.10.9, needed is 3.11.4 to 3.14",
        f"set-up: using {found}",
    ]


def test_without_another_python_and_without_a_network_the_last_line_says_what_to_do(
    set_up, monkeypatch, tmp_path, capfd
):
    (tmp_path / "uv").symlink_to(Path(sys.executable).parent / "uv")
    (tmp_path / "git").symlink_to(shutil.which("git"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "pythons"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", (tmp_path / "none").as_uri())
    monkeypatch.setattr(sys, "version_info", (3, 10, 9))
    monkeypatch.setattr(set_up, "call", set_up.really_call)
    assert message(set_up).endswith(
        "you can also install Python 3.12 yourself and call: make PYTHON=python3.12"
    )
    assert "asking uv for one" in capfd.readouterr().out


def test_the_python_of_an_incomplete_environment_is_not_used(set_up, monkeypatch, tmp_path):
    link = tmp_path / "python3"
    link.symlink_to(os.path.realpath(sys.executable))
    monkeypatch.setattr(sys, "executable", str(link))
    assert set_up.find_python(tmp_path / "bootstrap") == os.path.realpath(link)


def test_a_missing_git_is_named(set_up, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert message(set_up).startswith("error: git is not found, DVC needs it;")


def test_a_full_disk_is_named(set_up, monkeypatch):
    monkeypatch.setattr(set_up, "DISK_GB", 8)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1.5e9))
    assert message(set_up) == ("error: 1.5 GB are free on this disk, the environment needs 8 GB")


def test_the_lock_names_no_index_and_gives_the_first_package_with_its_hashes(set_up):
    assert "://" not in set_up.LOCK.read_text(encoding="utf-8")
    uv = set_up.locked("uv")
    assert uv.startswith("uv==")
    assert all("--hash=sha256:" in line for line in uv.splitlines()[1:])
