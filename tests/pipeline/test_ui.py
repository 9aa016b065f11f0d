"""What a person sees after `dvc repro` and `dvcview ui`, in a browser never used before."""

from __future__ import annotations

import json
import os
import re
import signal
from urllib.parse import quote

import pytest

from dvcview.tracking.saved_view import view_link
from tests.browser import Browser
from tests.pipeline.mlflow_server import free_port

EXPERIMENTS = (
    "Data",
    "Lecture 03 texture features",
    "Lecture 05 perceptron",
    "Lecture 24 update rules",
    "Lecture 25 optimizers",
    "Lecture 29 LeNet",
    "Lecture 40 DenseNet",
    "Report",
    "dlvc executions",
)
OPTIMIZERS = ("Lecture 25 optimizers", ("SGD", "momentum", "Adam"))
PICTURE = ("Lecture 29 LeNet", "LeNet", "conv1.png")

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(not Browser.available(), reason="needs chromium"),
]


@pytest.fixture(scope="module")
def printed(course):
    """The address that `dvcview ui` prints."""
    server = course.start("dvcview", "ui", "--port", str(free_port()))
    try:
        course.wait_for(lambda: "Ctrl-C" in server.text() or server.poll() is not None)
        yield re.search(r"http://\S+", server.text())[0]
        os.killpg(server.pid, signal.SIGINT)
        assert len(server.said(60).split("\n")) == 3, server.text()  # the address, and Ctrl-C's
        assert server.returncode == 0
    finally:
        server.kill()


@pytest.fixture(scope="module")
def page(printed):
    """The address of the server."""
    return printed.partition("/#")[0]


@pytest.fixture
def browser(page):
    """A browser with an empty profile, which may ask nobody but the server."""
    with Browser() as opened:
        yield opened
    foreign = [url for url in opened.requests if not url.startswith((page, "data:", "blob:"))]
    assert foreign == []


@pytest.fixture(scope="module")
def client(course):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{course.root / 'mlflow.db'}")


def newest(client, experiment, name):
    found = client.get_experiment_by_name(experiment)
    (run,) = client.search_runs(
        [found.experiment_id], filter_string=f"attributes.run_name = '{name}'", max_results=1
    )
    return run


def test_the_list_names_every_lecture_in_order(printed, browser):
    browser.open(printed)
    browser.wait_for(EXPERIMENTS[-1])
    names = browser.evaluate(
        "[...document.links].filter(a => /experiments.\\d+$/.test(a.hash)).map(a => a.innerText)"
    )
    assert tuple(names) == EXPERIMENTS


@pytest.mark.parametrize("begin", ["", "/#/experiments"])
def test_clicks_lead_from_the_start_to_a_lecture_and_to_its_run(page, browser, client, begin):
    browser.open(page + begin)
    browser.click("Lecture 24 update rules" if begin else "Data")
    if begin:
        names = ["per epoch", "per batch", "per sample", "exercise: equal updates"]
        for column in ("test_accuracy", "train_loss", "updates", "current", "stand-in for"):
            browser.wait_for(column)
    else:
        names = ["params", "digits", "photos"]
    browser.wait_for(names[-1])
    lines = browser.text().splitlines()
    at = [lines.index(name) for name in names]
    assert at == sorted(at)
    browser.click(names[1])
    browser.wait_for("Run ID")
    # Back by MLflow's own link: the page still shows trainings, and not language models.
    browser.click("Runs")
    browser.wait_for("matching runs")
    assert "/runs" in browser.evaluate("location.hash")
    for foreign in ("Detect issues", "Overview", "Prompts"):
        assert foreign not in browser.text()


def test_a_run_shows_few_hashes(page, browser, client):
    run = newest(client, "Lecture 29 LeNet", "LeNet")
    browser.open(f"{page}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}")
    browser.wait_for("dvc.restore")
    browser.wait_for("current")
    assert len(re.findall(r"\b[0-9a-f]{32}\b", browser.text())) <= 3  # the run, its pictures


CURVES = "() => document.querySelectorAll('.js-plotly-plot .scatterlayer .trace').length >= "


@pytest.mark.parametrize(
    ("experiment", "names"),
    [OPTIMIZERS, ("Lecture 24 update rules", ("per epoch", "per batch", "per sample"))],
)
def test_a_lectures_page_tells_its_story(page, browser, client, experiment, names):
    """The saved view: curves over epochs, over updates, and beside the lecture's own."""
    number = client.get_experiment_by_name(experiment).experiment_id
    browser.open(f"{page}/{view_link(number)}", 1400, 1800)
    browser.wait_for(f"{CURVES}15")
    sections = ("Over epochs", "Over updates", "Beside the published values (dashed)")
    charts = ("test_accuracy", "train_loss", "by_updates/", "published/")
    for expected in (*names, *sections, *charts):
        browser.wait_for(expected)


def test_the_table_of_a_lecture_shows_figures(page, browser, client):
    number = client.get_experiment_by_name("Lecture 29 LeNet").experiment_id
    browser.open(f"{page}/{view_link(number)}".replace("CHART", "TABLE"), 1600)
    browser.wait_for("test_accuracy")
    browser.wait_for("MNIST")
    browser.wait_for("current")
    browser.wait_for("updates")


def test_an_executions_page_leads_to_its_stages(page, browser, client):
    run = newest(client, "dlvc executions", "dvc repro")
    browser.open(f"{page}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}")
    browser.wait_for("update_rules@per_sample")
    links = browser.evaluate("[...document.links].map(link => link.hash)")
    lenet = newest(client, "Lecture 29 LeNet", "LeNet").info
    assert f"#/experiments/{lenet.experiment_id}/runs/{lenet.run_id}" in links


def test_the_optimizers_stand_side_by_side(page, browser, client):
    experiment, names = OPTIMIZERS
    runs = [newest(client, experiment, name) for name in names]
    ids = quote(json.dumps([run.info.run_id for run in runs]))
    experiments = quote(json.dumps([runs[0].info.experiment_id]))
    browser.open(f"{page}/#/compare-runs?runs={ids}&experiments={experiments}", 1400, 1800)
    browser.wait_for("test_accuracy")
    browser.wait_for("Name:")
    words = browser.text().split()
    at = words.index("Name:") + 1
    assert words[at : at + len(names)] == list(names)
    # The table holds its numbers apart from its names, three places each, a run beside a run.
    shown = [float(word) for word in words if word.replace(".", "", 1).isdigit()]
    beside = [shown[i : i + len(runs)] for i in range(len(shown))]
    expected = pytest.approx([run.data.metrics["test_accuracy"] for run in runs], abs=0.0006)
    assert any(row == expected for row in beside)


def test_a_run_shows_its_pictures(page, browser, client):
    experiment, name, picture = PICTURE
    run = newest(client, experiment, name)
    path = f"experiments/{run.info.experiment_id}/runs/{run.info.run_id}/artifacts/{picture}"
    browser.open(f"{page}/#/{path}")
    # Larger than any of the page's own icons.
    drawn = "() => [...document.images].some(i => i.complete && i.naturalWidth > 200)"
    browser.wait_for(drawn)
    assert picture in browser.text()
