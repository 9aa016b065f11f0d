"""The page as a person sees it: in a real browser, wide, on a phone, in the dark, and on paper."""

from __future__ import annotations

import json
import re

import pytest

from tests.browser import Browser

PAGE = "report/index.html"
CLAIMS = 27
COMPLETE = "() => document.readyState === 'complete' && document.querySelector('#how') !== null"


@pytest.fixture(scope="module")
def html(course):
    return course.read(PAGE)


def test_every_claim_has_a_verdict_and_it_stands_on_the_page(course, html):
    verdicts = json.loads(course.read("report/verdicts.json"))
    assert len(verdicts) == CLAIMS
    for claim, word in verdicts.items():
        (article,) = re.findall(rf'id="claim-{claim}">(.*?)</article>', html, re.DOTALL)
        assert f">{word}</span>" in article
        assert re.search("[✓✗–]</span>", article)


def test_it_needs_nothing_from_elsewhere_and_is_small(html):
    assert len(html.encode()) < 3_000_000
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', html)
    assert "<script" not in html
    assert "@import" not in html


def test_it_says_at_its_top_that_the_images_are_stand_ins(html):
    assert html.index("stand-ins") < html.index("<main>")


def test_every_picture_has_a_text_and_every_id_is_one(html):
    for picture in re.findall(r"<(?:img|svg) [^>]*>", html):
        assert re.search(r'(?:alt|aria-label)="[^"]{10,}"', picture), picture[:200]
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_every_link_leads_somewhere(course, html):
    ids = set(re.findall(r'\bid="([^"]+)"', html))
    links = set(re.findall(r'<a href="([^"]+)"', html))
    assert len(links) > CLAIMS
    for link in links:
        if link.startswith("#"):
            assert link[1:] in ids
        else:
            assert (course.root / "report" / link).resolve().exists(), link


def test_every_number_comes_from_a_file_that_dvc_lock_names(course, html):
    known = {path for state in course.states().values() for path in state.outs}
    known |= {path for state in course.states().values() for path in state.deps}
    for link in set(re.findall(r'<a href="\.\./(results/[^"]+|benchmarks/[^"]+)"', html)):
        assert any(link == path or link.startswith(f"{path}/") for path in known), link


def test_the_same_outs_give_the_same_page(scratch, html):
    scratch.dvc("repro", "--single-item", "--force", "report")
    assert scratch.read(PAGE) == html


@pytest.mark.skipif(not Browser.available(), reason="needs chromium")
@pytest.mark.parametrize("width", [1200, 390])
def test_a_browser_shows_it_without_complaint_and_without_asking_anybody(course, width):
    with Browser() as browser:
        browser.open(f"file://{course.root / PAGE}", width, 900)
        browser.wait_for(COMPLETE)
        wide = browser.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, "it has to be scrolled sideways"
        assert browser.evaluate(
            "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
        )
        narrowest = "Math.min(...[...document.querySelectorAll('svg')].map(s => s.clientWidth))"
        assert browser.evaluate(narrowest) > 200
        assert browser.evaluate("document.querySelectorAll('math').length") >= 10
        assert browser.console_errors == []
        assert [url for url in browser.requests if not url.startswith(("file:", "data:"))] == []
