"""DVC as its users use it: experiments, a queue, comparisons, also in a clone without data."""

from __future__ import annotations

import csv
import io
import shlex
import time

import pytest
from ruamel.yaml import YAML

from tests.imports import ROOT
from tests.pipeline.project import Project
from tools.plots_page import NOTES

QUEUE_SECONDS = 300
STATES = ("Queued", "Running", "Success", "Failed")


def table(project: Project, *words: str) -> dict[str, dict[str, str]]:
    """The experiments by name, as `dvc exp show` has them."""
    rows = csv.DictReader(io.StringIO(project.dvc("exp", "show", "--csv", *words).stdout))
    return {row["Experiment"] or row["rev"]: row for row in rows}


def cells(markdown: str) -> list[list[str]]:
    """The cells of a table: its head, a line of dashes, its rows."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[word.strip() for word in line.split("|")[1:-1]] for line in lines]


def restore(project: Project) -> None:
    project.call("git", "checkout", "--quiet", ".")
    project.dvc("checkout")


def test_no_plot_lies_inside_a_directory_out():
    """DVC looks at each when it saves an experiment, and needs the directory's listing for it."""
    pipeline = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    outs = [out for stage in pipeline["stages"].values() for out in stage.get("outs", [])]
    folders = {out for out in outs if isinstance(out, str) and "." not in out}
    plots = [plot for plot in pipeline["plots"] if isinstance(plot, str)]
    assert {"data/digits", "data/features"} <= folders
    assert "figures/kernels/lenet/conv1.png" in plots
    assert not [plot for plot in plots if plot.startswith(tuple(f"{name}/" for name in folders))]


def test_the_page_of_plots_has_a_sentence_about_each():
    pipeline = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    plots = [plot if isinstance(plot, str) else next(iter(plot)) for plot in pipeline["plots"]]
    assert sorted(NOTES) == sorted(plots)


@pytest.mark.full
def test_stages_run_the_code_of_their_own_checkout_without_a_python_path(fresh):
    """Also in the folder that DVC makes for an experiment: its stage has the edit, and no other."""
    stage = fresh.root / "src/dlvc/stages/params.py"
    stage.write_text(stage.read_text() + "\n\nprint(f'code: {__file__}')\n")
    fresh.commit("an edit")
    ran = fresh.dvc("repro", "params", PYTHONPATH="").stdout
    assert f"code: {stage}" in ran
    stage.write_text(stage.read_text() + "print('a second edit')\n")
    words = ("exp", "run", "--temp", "--name", "once", "-S", "perceptron.epochs=2", "params")
    ran = fresh.dvc(*words, PYTHONPATH="").stdout
    assert f"code: {fresh.root / '.dvc/tmp/exps'}" in ran
    assert "a second edit" in ran


@pytest.mark.full
def test_one_stage_as_an_experiment_where_no_data_is(bare_clone):
    ran = bare_clone.dvc("exp", "run", "-n", "first", "-S", "perceptron.epochs=2", "perceptron")
    assert "Ran experiment(s): first" in ran.stdout
    assert not (bare_clone.root / "data/digits").exists()
    assert table(bare_clone)["first"]["perceptron.epochs"] == "2"


@pytest.mark.full
def test_an_experiment_in_the_workspace_is_compared_with_what_was_before(clone):
    clone.dvc("exp", "run", "-n", "short", "-S", "perceptron.epochs=2", "perceptron")
    changed = clone.call("git", "status", "--short").stdout.split()
    params = clone.dvc("params", "diff", "--md").stdout
    metrics = clone.dvc("metrics", "diff", "--md").stdout
    both = clone.dvc("exp", "diff").stdout
    restore(clone)

    assert changed[1::2] == [
        "dvc.lock",
        "params.yaml",
        "results/perceptron/curves.csv",
        "results/perceptron/metrics.json",
    ]
    assert cells(params)[2:] == [["params.yaml", "perceptron.epochs", "20", "2"]]
    rows = cells(metrics)
    assert rows[0] == ["Path", "Metric", "HEAD", "workspace", "Change"]
    assert {row[0] for row in rows[2:]} == {"results/perceptron/metrics.json"}  # and no other
    assert {"epoch", "test_accuracy", "train_loss"} <= {row[1] for row in rows}
    assert "perceptron.epochs" in both
    assert "test_accuracy" in both


@pytest.mark.full
def test_a_queue_of_experiments_runs_two_at_a_time_and_leaves_the_workspace_alone(clone):
    clone.dvc("exp", "run", "--queue", "-n", "try", "-S", "perceptron.epochs=3,4")
    clone.dvc("exp", "run", "--queue", "-n", "mistake", "-S", "perceptron.epochs=0")
    assert "Started '2'" in clone.dvc("queue", "start", "-j", "2").stdout
    ends = wait_for_queue(clone)
    mistake = clone.dvc("queue", "logs", "mistake").stdout
    shown = table(clone, "--only-changed", "--drop", drop_of_make_experiments())
    commit = clone.call("git", "rev-parse", "HEAD").stdout.strip()
    ref = f"refs/exps/{commit[:2]}/{commit[2:]}/try-1"

    assert ends == {"try-1": "Success", "try-2": "Success", "mistake": "Failed"}
    assert "error: params.yaml: perceptron.epochs" in mistake
    assert clone.call("git", "status", "--short").stdout == ""
    assert [shown[name]["perceptron.epochs"] for name in ("try-1", "try-2")] == ["3", "4"]
    assert set(shown["try-1"]) - {"rev", "typ", "parent"} == {
        *("Experiment", "results/perceptron/metrics.json:test_accuracy", "perceptron.epochs"),
    }
    assert (
        "train_loss" in clone.call("git", "show", f"{ref}:results/perceptron/metrics.json").stdout
    )
    assert "perceptron" in clone.call("git", "show", f"{ref}:dvc.lock").stdout

    clone.dvc("exp", "apply", "try-1")
    applied = clone.dvc("status").stdout
    restore(clone)
    assert "Data and pipelines are up to date." in applied
    assert "perceptron.epochs" in clone.dvc("exp", "diff", "try-1", "try-2").stdout


def wait_for_queue(project: Project) -> dict[str, str]:
    """How each queued experiment ended, by name, when all have and the workers are gone."""
    until = time.monotonic() + QUEUE_SECONDS
    while time.monotonic() < until:
        lines = project.dvc("queue", "status").stdout.splitlines()
        tasks = [line.split() for line in lines if line.endswith(STATES)]
        ends = {words[1]: words[-1] for words in tasks}
        if not {"Queued", "Running"} & set(ends.values()) and "0 active, 0 idle" in lines[-1]:
            return ends
        time.sleep(3)
    raise AssertionError(project.dvc("queue", "status").stdout)


def drop_of_make_experiments() -> str:
    """The pattern in the Makefile, as the shell gives it to DVC."""
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$$", "$")
    (line,) = [line for line in recipe.splitlines() if "dvc exp show" in line]
    words = shlex.split(line)
    return words[words.index("--drop") + 1]
