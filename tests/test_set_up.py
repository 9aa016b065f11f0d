"""The set-up refuses what it cannot work with, in one line, before it writes anything."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from types import SimpleNamespace

import pytest

from tests.imports import ROOT


@pytest.fixture
def set_up(monkeypatch):
    spec = importlib.util.spec_from_file_location("set_up", ROOT / "tools" / "set_up.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "DISK_GB", 0)
    monkeypatch.setattr(module, "call", lambda *words: pytest.fail(f"called {words}"))
    return module


def message(set_up):
    with pytest.raises(SystemExit) as stopped:
        set_up.main()
    (line,) = str(stopped.value).splitlines()
    return line


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 11, 3), (3, 14, 0), (2, 7, 18)])
def test_another_python_is_named(set_up, monkeypatch, version):
    monkeypatch.setattr(sys, "version_info", version)
    found = ".".join(map(str, version))
    assert message(set_up) == (
        f"error: this is Python {found}, needed is 3.11.4 to 3.13; try: make PYTHON=python3.12"
    )


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
