"""A run shows the pictures that were drawn from its own state, and no others."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dvcview.files.checksum import md5_of, md5_of_outs
from dvcview.project.lockfile import Pipeline, StageState
from dvcview.tracking.pictures import Pictures

SOURCE = "figures/sources.json"


def state(stage, outs):
    return StageState(stage, "", {}, {}, outs)


@pytest.fixture
def project(tmp_path):
    """Two trainings, a picture of each, and a picture of both."""
    for name in ("a", "b"):
        (tmp_path / f"results/{name}").mkdir(parents=True)
        (tmp_path / f"results/{name}/curves.csv").write_text(name)
    md5 = {f"results/{name}/curves.csv": md5_of(tmp_path / f"results/{name}/curves.csv")
           for name in ("a", "b")}  # fmt: skip
    sources = {
        "figures/pictures/a.png": {"results/a/curves.csv": md5["results/a/curves.csv"]},
        "figures/pictures/b.png": {"results/b/curves.csv": md5["results/b/curves.csv"]},
        "figures/pictures/both.png": md5,
        "figures/pictures/none.png": {},
    }
    (tmp_path / "figures/pictures").mkdir(parents=True)
    for picture in sources:
        (tmp_path / picture).write_text(picture)
    (tmp_path / SOURCE).write_text(json.dumps(sources))
    return tmp_path


def states(project):
    figures = {
        SOURCE: md5_of(project / SOURCE),
        "figures/pictures": md5_of(project / "figures/pictures"),
    }
    trainings = {
        name: state(name, md5_of_outs(project / f"results/{name}/curves.csv"))
        for name in ("a", "b")
    }
    # The paths of md5_of_outs are absolute here; those of dvc.lock are relative.
    trainings = {
        name: replace(one, outs={f"results/{name}/curves.csv": next(iter(one.outs.values()))})
        for name, one in trainings.items()
    }
    return {**trainings, "figures": state("figures", figures)}


def test_a_state_has_the_pictures_that_were_drawn_from_its_outs_alone(project):
    found = states(project)
    pictures = Pictures(Pipeline(project, project, None), found, SOURCE)
    assert list(pictures.of(found["a"])) == ["figures/pictures/a.png"]
    assert list(pictures.of(found["b"])) == ["figures/pictures/b.png"]
    assert pictures.of(found["figures"]) == {}


def test_another_state_of_the_same_stage_has_none_of_them(project):
    found = states(project)
    pictures = Pictures(Pipeline(project, project, None), found, SOURCE)
    other = replace(found["a"], outs={"results/a/curves.csv": "0" * 32})
    assert pictures.of(other) == {}


@pytest.mark.parametrize("source", ["", "figures/missing.json"])
def test_a_project_without_pictures_has_none(project, source):
    found = states(project)
    pictures = Pictures(Pipeline(project, project, None), found, source)
    assert pictures.of(found["a"]) == {}
