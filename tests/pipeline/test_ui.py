"""What a person sees in MLflow's real page after `dvc repro`, in a browser never used before."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from tests.browser import Browser
from tests.pipeline.ui import served

EXPERIMENTS = (
    "Data",
    "Executions",
    "Lecture 03 texture features",
    "Lecture 05 perceptron",
    "Lecture 24 update rules",
    "Lecture 25 optimizers",
    "Lecture 29 LeNet",
    "Lecture 40 DenseNet",
)
OPTIMIZERS = ("Lecture 25 optimizers", ("sgd", "momentum", "adam"))
PICTURE = ("Lecture 29 LeNet", "lenet", "conv1.png")

# MLflow's page opens for language models; this part of the address has it show training.
TRAINING = "workflowType=machine_learning"

pytestmark = pytest.mark.skipif(not Browser.available(), reason="needs chromium")


@pytest.fixture(scope="module")
def page(course, tmp_path_factory):
    """The address of a server of the course's store."""
    folder = tmp_path_factory.mktemp("server")
    with served(f"sqlite:///{course.root / 'mlflow.db'}", folder) as address:
        yield address


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
    browser.wait_for(EXPERIMENTS[-1])
    lines = browser.text().splitlines()
    assert [name for name in EXPERIMENTS if name not in lines] == []


def test_an_experiment_shows_its_runs_and_their_curves(page, browser, client):
    experiment, names = OPTIMIZERS
    number = client.get_experiment_by_name(experiment).experiment_id
    browser.open(f"{page}/#/experiments/{number}/runs?{TRAINING}&compareRunsMode=CHART", 1400, 1400)
    curve = "() => document.querySelectorAll('.js-plotly-plot .scatterlayer .trace').length >= 3"
    browser.wait_for(curve)
    text = browser.text()
    assert [name for name in (*names, "test_accuracy", "train_loss") if name not in text] == []


def test_the_optimizers_stand_side_by_side(page, browser, client):
    experiment, names = OPTIMIZERS
    runs = [newest(client, experiment, name) for name in names]
    ids = quote(json.dumps([run.info.run_id for run in runs]))
    experiments = quote(json.dumps([runs[0].info.experiment_id]))
    browser.open(f"{page}/#/compare-runs?runs={ids}&experiments={experiments}", 1400, 1800)
    browser.wait_for("test_accuracy")
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
