"""What is said of the run on the lectures' images is what that run has left."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from dvcview.errors import UserError
from dvcview.files.artifacts import read_json
from tests.imports import ROOT
from tools import laptop


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("table", [laptop.figures, laptop.counts])
def test_the_readme_has_the_tables_of_the_kept_run(table):
    assert table(laptop.KEPT) in Path("README.md").read_text(encoding="utf-8")


def test_its_verdicts_are_those_of_its_page():
    text = (laptop.KEPT / "verdicts.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d\d-\d) \|.*? \| ([a-z ]+?)(?: \(.*?\))? \|", text, re.M)
    assert dict(rows) == read_json(laptop.KEPT / "report/verdicts.json")


def test_what_its_page_links_to_is_kept_or_named_as_too_large():
    page = (laptop.KEPT / "report/index.html").read_text(encoding="utf-8")
    links = {link.removeprefix("../") for link in re.findall(r'href="(\.\./[^"#]*)"', page)}
    assert len(links) > 20
    said = (laptop.KEPT / "README.md").read_text(encoding="utf-8")
    for link in links:
        assert (laptop.KEPT / link).exists() or f"`{link}`" in said, link


def test_what_was_kept_stays_where_there_is_no_run_to_keep(tmp_path, monkeypatch):
    kept = tmp_path / "kept"
    shutil.copytree(laptop.KEPT, kept)
    before = sorted(kept.rglob("*"))
    monkeypatch.setattr(laptop, "KEPT", kept)
    with pytest.raises(UserError, match=r"params\.yaml"):
        laptop.keep(tmp_path / "nothing")
    assert sorted(kept.rglob("*")) == before
