"""The page as a person sees it: in a real browser, wide, on a phone, in the dark, and on paper."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dlvc.report.published import read_published
from tests.browser import Browser
from tests.imports import ROOT
from tests.pipeline.mlflow_server import served
from tools import laptop

PAGE = "report/index.html"
CLAIMS = 35
COMPLETE = "() => document.readyState === 'complete' && document.querySelector('#how') !== null"
MOST_PAGES = 12  # on paper
LEAST_CONTRAST = 4.5  # of text (WCAG 2.2, level AA)
# The smallest contrast of any text with the page, without texts on a coloured cell of a picture.
CONTRAST = """(() => {
    const channels = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = element => {
        for (let e = element; e; e = e.parentElement) {
            const colour = channels(getComputedStyle(e).backgroundColor);
            if (colour.length < 4 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const said = e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    const texts = [...document.querySelectorAll("body *")].filter(e => !e.matches(
        "style, title, svg text[fill]:not([fill=currentColor])"));
    return Math.min(...texts.filter(said).map(e => {
        const svg = e.namespaceURI.endsWith("svg");
        const style = getComputedStyle(e);
        const [a, b] = [light(channels(svg ? style.fill : style.color)), light(behind(e))];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }));
})()"""


@pytest.fixture(scope="module")
def html(course):
    return course.read(PAGE)


def test_every_claim_has_a_verdict_and_it_stands_on_the_page(course, html):
    verdicts = json.loads(course.read("report/verdicts.json"))
    assert len(verdicts) == CLAIMS
    for claim, word in verdicts.items():
        (article,) = re.findall(rf'id="claim-{claim}">(.*?)</article>', html, re.DOTALL)
        assert f">{word}</span>" in article
        assert re.search("[✓✗–?]</span>", article)


def test_with_stand_ins_the_verdicts_of_the_published_run_come_first(html):
    """These differ for about half of the claims; nobody must leave with a wrong belief."""
    published = {claim: verdict.word for claim, verdict in read_published().verdicts.items()}
    summary = html[html.index('id="verdicts"') : html.index("</section>")]
    rows = re.findall(r'#claim-([\d-]+)">.*?class="verdict[^>]*>([^<]*)<.*?</tr>', summary)
    assert dict(rows) == published
    folded = re.findall(r'<summary><span class="id">([\d-]+)<.*?class="verdict[^>]*>([^<]*)<', html)
    assert dict(folded) == published


def test_published_json_has_what_docs_laptop_has():
    published = read_published()
    text = (ROOT / "docs/laptop/verdicts.md").read_text(encoding="utf-8")
    assert len(published.verdicts) == CLAIMS
    for verdict in published.verdicts.values():
        assert all(f"{part.mark} {part.statement}: {part.found}" in text for part in verdict.parts)
    lenet = (ROOT / "docs/laptop/results/lenet/seeds.csv").read_text().splitlines()
    head = lenet[0].split(",")
    column = [row.split(",")[head.index("test_accuracy")] for row in lenet[1:]
              if row.split(",")[head.index("epoch")] == "10"]  # fmt: skip
    mean = 100 * sum(map(float, column)) / len(column)
    assert published.figure("lenet", "test_accuracy", 10).startswith(f"{mean:.1f} %")


def test_a_run_can_be_kept_without_its_large_files(course, tmp_path, monkeypatch):
    """As docs/laptop keeps that of the profile `laptop`."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(laptop, "KEPT", tmp_path)
    monkeypatch.setattr(laptop, "LARGEST", 50_000)
    monkeypatch.setattr(laptop, "PUBLISHED", tmp_path / "published.json")
    (tmp_path / "results/gone").mkdir(parents=True)
    laptop.keep(course.root)
    assert not (tmp_path / "results/gone").exists()
    assert max(file.stat().st_size for file in tmp_path.glob("results/**/*.*")) <= 50_000
    assert laptop.figures(tmp_path) == laptop.figures(course.root)
    assert (tmp_path / "verdicts.md").read_text().count("\n| ") == CLAIMS + 1
    words = {c: v.word for c, v in read_published(tmp_path / "published.json").verdicts.items()}
    judged = json.loads(course.read("report/verdicts.json"))
    assert words.keys() == judged.keys()
    # The run on a GPU in docs/gpu decides some claims of the published run, too.
    others = [claim for claim in words if not claim.startswith("40-")]
    assert {c for c in others if words[c] != judged[c]} <= {"24-2", "24-3", "24-4", "24-5", "25-2"}
    assert len({c for c in words if words[c] == judged[c]}) > 25


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


@pytest.mark.full
def test_the_same_outs_give_the_same_page(scratch, html):
    scratch.dvc("repro", "--single-item", "--force", "report")
    assert scratch.read(PAGE) == html


@pytest.mark.full
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
        narrowest = (
            "Math.min(...[...document.querySelectorAll('.charts svg')]"
            ".map(s => s.clientWidth).filter(width => width > 0))"
        )
        assert browser.evaluate(narrowest) > 200
        assert browser.evaluate("document.querySelectorAll('svg.math').length") >= 10
        assert browser.console_errors == []
        assert [url for url in browser.requests if not url.startswith(("file:", "data:"))] == []


@pytest.mark.full
@pytest.mark.skipif(not Browser.available(), reason="needs chromium")
def test_the_dark_page_can_be_read_a_link_unfolds_its_claim_and_paper_has_few_pages(course):
    with Browser() as browser:
        for scheme in ("light", "dark"):
            browser.prefer(scheme)
            browser.open(f"file://{course.root / PAGE}", 1200, 900)
            browser.wait_for(COMPLETE)
            assert browser.evaluate(CONTRAST) >= LEAST_CONTRAST, scheme
        browser.click("29-2")
        browser.wait_for("() => document.querySelector('#claim-29-2').closest('details').open")
        browser.wait_for("LeNet's worst seed is above the MLP's best seed")
        browser.open(f"file://{course.root / PAGE}", 1200, 900)
        browser.wait_for(COMPLETE)
        assert browser.printed_pages() <= MOST_PAGES


def open_with_links(scratch, mlflow):
    """What `make report` opens, where MLflow's page is at an address."""
    return Path(scratch.call("dlvc", "report", "--mlflow", mlflow).stdout.strip())


def test_opened_by_dlvc_report_every_file_of_it_has_a_link_to_its_run(scratch, html):
    linked = open_with_links(scratch, "http://127.0.0.1:1/")
    links = re.findall(
        r'<a href="\.\./(results/[^"]+)">[^<]*</a> \(<a href="(http://127.0.0.1:1/#[^"]+)">run</a>\)',
        linked.read_text(encoding="utf-8"),
    )
    assert len(links) == len(re.findall(r'<a href="\.\./results/[^"]+">', html))
    assert all((linked.parent / ".." / file).exists() for file, _ in links)
    for file in ("results/lenet/seeds.csv", "results/claims/momentum/trainings.csv"):
        run = dict(links)[file].rpartition("/")[2]
        assert run in scratch.call("dvcview", "which", file).stdout


@pytest.mark.full
@pytest.mark.skipif(not Browser.available(), reason="needs chromium")
def test_such_a_link_leads_to_the_run_on_mlflows_page(scratch, tmp_path):
    with served(scratch.root / "mlflow.db", tmp_path) as server, Browser() as browser:
        browser.open(f"file://{open_with_links(scratch, server.address)}", 1200, 900)
        browser.wait_for(COMPLETE)
        link = browser.evaluate("document.querySelector('#claim-29-1 .from a[href^=http]').href")
        browser.open(link, 1200, 900)
        browser.wait_for("LeNet")


def test_without_mlflow_it_is_opened_all_the_same(scratch, html):
    done = scratch.call("dlvc", "report", MLFLOW_TRACKING_URI="http://127.0.0.1:1")
    assert "no links to MLflow's runs" in done.stderr
    assert Path(done.stdout.strip()).read_text(encoding="utf-8") == html
