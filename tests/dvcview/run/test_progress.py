"""What `dvcview run` says about stages and times, with the real DVC in a small project."""

from __future__ import annotations

import json

import pytest

from dvcview.run.progress import PUSH_ADVICE, TIMES, read_times
from tests.dvcview.test_any_project import Foreign

PIPELINE = """
stages:
  get:
    cmd: head -c 1 input > data
    deps: [input]
    outs: [data]
  fit:
    matrix: {rate: [low, high]}
    cmd: echo fitting ${item.rate} && cat data > ${item.rate}
    deps: [data]
    params: ["${item.rate}"]
    outs: ["${item.rate}"]
  check:
    cmd: echo "{\\"sum\\":$(cat low)$(cat high)}" > sum.json
    deps: [low, high]
    metrics: [sum.json]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project in which nothing has run."""
    files = {"dvc.yaml": PIPELINE, "input": "1 a", "params.yaml": "low: 1\nhigh: 2\n"}
    files[".gitignore"] = "mlflow.db\nmlruns\n"
    return Foreign.make(tmp_path_factory.mktemp("progress") / "project", files)


@pytest.fixture
def done(project):
    """The project after a run of its committed files, with times that are known."""
    project.shell("dvcview run && git add --all && git commit --quiet --allow-empty --message x")
    seconds = {"get": 1, "fit@low": 100, "fit@high": 200, "check": 3600}
    (project.root / TIMES).write_text(json.dumps(seconds))
    yield project
    project.shell("git checkout --quiet . && dvc checkout --quiet")


def run(project: Foreign, exit_code: int = 0) -> list[str]:
    """The lines of a run without the last one, which is about MLflow."""
    *lines, last = project.shell("dvcview run", exit_code=exit_code).splitlines()
    return lines if "MLflow" in last else [*lines, last]


def test_a_run_counts_its_stages_and_nothing_else(project):
    assert run(project) == [
        "4 stages to run: get, fit (2), check",
        "[1/4] get",
        "[2/4] fit@low",
        "fitting low",
        "[3/4] fit@high",
        "fitting high",
        "[4/4] check",
    ]
    assert set(read_times(project.root / TIMES)) == {"get", "fit@low", "fit@high", "check"}
    assert run(project) == ["Data and pipelines are up to date."]


def test_it_says_how_long_the_last_runs_took_and_counts_less_when_an_out_stays_as_it_was(done):
    (done.root / "input").write_text("1 b")
    (done.root / "params.yaml").write_text("low: 1\nhigh: 3\n")
    assert run(done) == [
        "2 stages to run: get, fit@high",
        "then, if their inputs have changed: fit@low, check",
        "the last time they took 3 min, all together 1 h 5 min",
        "[1/4] get, at most 1 h 5 min left",
        "[2/3] fit@high, at most 1 h 3 min left",
        "fitting high",
    ]
    done.shell("rm sum.json")
    assert run(done)[:2] == ["1 stage to run: check", "the last time that took 1 h 0 min"]
    times = read_times(done.root / TIMES)
    assert times["fit@low"] == 100  # it did not run
    assert times["fit@high"] < 100


def test_without_all_times_there_is_no_word_of_time_and_a_restored_stage_counts(done):
    (done.root / "input").write_text("2 a")
    run(done)
    (done.root / "input").write_text("1 a")
    (done.root / TIMES).write_text('{"get": 1')
    assert run(done) == [
        "1 stage to run: get",
        "then, if their inputs have changed: fit (2), check",
        "[1/4] get, from DVC's run cache",
        "[2/4] fit@low, from DVC's run cache",
        "[3/4] fit@high, from DVC's run cache",
        "[4/4] check, from DVC's run cache",
    ]


def test_the_last_word_about_a_failed_run_is_dvcs(done):
    *stages, _, deps, outs = PIPELINE.splitlines()
    (done.root / "dvc.yaml").write_text("\n".join([*stages, "    cmd: exit 3", deps, outs]))
    assert run(done, 255)[-1] == (
        "ERROR: failed to reproduce 'check': failed to run: exit 3, exited with 3"
    )
    assert read_times(done.root / TIMES)["check"] == 3600


def test_one_stage_in_a_clone_says_nothing_about_the_others(done, tmp_path):
    clone = Foreign(tmp_path / "clone")
    done.shell(f"git clone --quiet . {clone.root}")
    said = clone.shell("dvcview run get")
    assert said.startswith("1 stage to run: get\n[1/1] get\nMLflow (")
    assert "shows the stages whose files are here: built the runs of get" in said
    assert "no run was built for" in clone.shell("dvcview sync", exit_code=2)


def test_an_experiment_counts_as_well(done):
    """With the values that DVC writes into params.yaml before it runs a stage."""
    command = "import sys; from dvcview.run.repro import run_pipeline; "
    command += "run_pipeline(None, ['-S', 'high=4'])"
    said = done.shell(f'python -c "{command}"')
    assert "1 stage to run: fit@high\n" in said
    assert "[1/2] fit@high, at most" in said


def test_dvc_still_gives_the_advice_that_is_left_out(done):
    (done.root / "params.yaml").write_text("low: 1\nhigh: 5\n")
    assert PUSH_ADVICE in done.shell("dvc repro")


@pytest.mark.parametrize("text", ["", "[1]", '{"a": "b"}', '{"a": null}'])
def test_damaged_times_are_none(text, tmp_path):
    (tmp_path / "times.json").write_text(text)
    assert read_times(tmp_path / "times.json") == {}
