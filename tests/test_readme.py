"""The documentation: its tables are those of the kept run, and its links lead somewhere."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from dlvc.report.published import read_published
from dvcview.errors import UserError
from tests.checkout import listed_files
from tests.imports import ROOT
from tools import laptop


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize(
    ("page", "table"),
    [
        ("README.md", lambda: laptop.accuracies(laptop.KEPT)),
        ("docs/results.md", lambda: laptop.figures(laptop.KEPT)),
        ("docs/results.md", lambda: laptop.counts(read_published())),
        ("docs/results.md", lambda: laptop.earlier_verdicts(read_published())),
    ],
    ids=["accuracies", "figures", "counts", "earlier verdicts"],
)
def test_the_documentation_has_the_tables_of_the_kept_run(page, table):
    assert table() in Path(page).read_text(encoding="utf-8")


def test_the_readme_is_short():
    assert len(Path("README.md").read_text(encoding="utf-8").splitlines()) <= 150


def pages() -> list[str]:
    """The Markdown files of the project, without those in docs/laptop/."""
    return listed_files("*.md", ":!docs/laptop")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", pages())
def test_every_link_within_the_project_leads_somewhere(page):
    text = re.sub(r"```.*?```", "", Path(page).read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("http:", "https:")):
            continue
        path, _, anchor = link.partition("#")
        target = Path(page).parent / path if path else Path(page)
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_its_verdicts_are_those_of_its_page():
    text = (laptop.KEPT / "verdicts.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d\d-\d+) \|.*? \| ([a-z ]+?)(?: \(.*?\))? \|", text, re.M)
    assert dict(rows) == {claim: v.word for claim, v in read_published().verdicts.items()}


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
