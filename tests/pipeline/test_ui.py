"""What a person sees in MLflow's real page after `dvc repro`, in a browser never used before."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from dvcview.tracking.saved_view import view_link
from tests.browser import Browser
from tests.pipeline.mlflow_server import served

EXPERIMENTS = (
    "Data",
    "dlvc executions",
    "Lecture 03 texture features",
    "Lecture 05 perceptron",
    "Lecture 24 update rules",
    "Lecture 25 optimizers",
    "Lecture 29 LeNet",
    "Lecture 40 DenseNet",
    "Report",
)
OPTIMIZERS = ("Lecture 25 optimizers", ("SGD", "momentum", "Adam"))
PICTURE = ("Lecture 29 LeNet", "LeNet", "conv1.png")

# MLflow's page opens for language models; this part of the address has it show training.
TRAINING = "workflowType=machine_learning"

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(not Browser.available(), reason="needs chromium"),
]


@pytest.fixture(scope="module")
def page(course, tmp_path_factory):
    """The address of a server of the course's store."""
    folder = tmp_path_factory.mktemp("server")
    with served(course.root / "mlflow.db", folder) as server:
        yield server.address


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


def test_the_list_names_every_lecture(page, browser):
    browser.open(f"{page}/#/experiments?{TRAINING}")
    for expected in EXPERIMENTS:
        browser.wait_for(expected)
    lines = browser.text().splitlines()
    assert [name for name in EXPERIMENTS if name not in lines] == []


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
    browser.click("Close")  # the assistant, which takes a third of the page
    browser.wait_for(newest(client, "Lecture 29 LeNet", "LeNet").data.tags["data"])
    browser.wait_for("updates")


def test_an_executions_page_leads_to_its_stages(page, browser, client):
    run = newest(client, "dlvc executions", "dvc repro")
    browser.open(f"{page}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}?{TRAINING}")
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
    browser.open(f"{page}/#/{path}?{TRAINING}")
    # Larger than any of the page's own icons.
    drawn = "() => [...document.images].some(i => i.complete && i.naturalWidth > 200)"
    browser.wait_for(drawn)
    assert picture in browser.text()
