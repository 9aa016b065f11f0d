"""Mistakes made on purpose: a line that helps, exit code 2, nothing lost."""

from __future__ import annotations

import re

import pytest


def snapshot(project):
    """Every file that a stage has left, with its time of change."""
    folders = (project.root / "results", project.root / "data")
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    return {file: file.stat().st_mtime_ns for file in [*files, project.root / "params.schema.json"]}


MISTAKES = [
    (r"learning_rate: 10\b", "learningrate: 10", "perceptron.learningrate is not known"),
    (r"learning_rate: 10\b", "learning_rate: ten", "perceptron.learning_rate is 'ten'"),
    (r"learning_rate: 10\b", "learning_rate: -10", "perceptron.learning_rate is -10"),
    (r"  learning_rate: 10\b.*\n", "", "perceptron.learning_rate is missing"),
    (r"device: auto", "device: tpu", "runtime.device is 'tpu'"),
]


@pytest.mark.parametrize(("pattern", "mistake", "says"), MISTAKES)
def test_a_mistake_in_params_is_one_line_and_touches_nothing(scratch, pattern, mistake, says):
    before, text = snapshot(scratch), scratch.read("params.yaml")
    wrong = re.sub(pattern, mistake, text, count=1)
    assert wrong != text
    (scratch.root / "params.yaml").write_text(wrong, encoding="utf-8")
    try:
        by_dlvc = scratch.call("dlvc", "run", ok=False)
        by_dvc = scratch.dvc("repro", ok=False)
    finally:
        (scratch.root / "params.yaml").write_text(text, encoding="utf-8")
    assert by_dlvc.returncode == 2
    (line,) = by_dlvc.stderr.splitlines()
    assert line.startswith(f"error: params.yaml: {says}")
    assert by_dvc.returncode != 0
    assert f"error: params.yaml: {says}" in by_dvc.stderr
    assert "Traceback" not in by_dvc.stderr
    assert snapshot(scratch) == before


def test_a_mistake_on_the_command_line_leaves_params_as_they_were(scratch):
    before = scratch.read("params.yaml")
    done = scratch.call("dlvc", "run", "lenet", "--lenet.epochs", "many", ok=False)
    assert done.returncode == 2
    assert done.stderr == "error: the values given: lenet.epochs is 'many'; allowed: integer\n"
    assert scratch.read("params.yaml") == before


def test_an_unknown_profile_names_those_that_exist(scratch):
    done = scratch.call("dlvc", "run", "--profile", "corse", ok=False)
    assert done.returncode == 2
    assert done.stderr == "error: profile 'corse' is not known; allowed: course, default, laptop\n"


def test_a_loss_that_is_not_a_number_stops_the_stage_and_says_where(scratch):
    text = scratch.read("params.yaml")
    scratch.set({"update_rules.per_batch.learning_rate": 1e30})
    try:
        done = scratch.call("python", "-m", "dlvc.stages.update_rules", "per_batch", ok=False)
    finally:
        (scratch.root / "params.yaml").write_text(text, encoding="utf-8")
    assert done.returncode == 2
    assert re.search(r"error: the loss is (nan|inf) at epoch 1, update \d+;", done.stderr)
    assert "Traceback" not in done.stderr
    assert "up to date" in scratch.dvc("status").stdout


def test_pictures_that_change_run_again_what_depends_on_them(scratch):
    folder = scratch.root / "data/pictures/digits"
    (folder / "one.txt").write_text("not a picture")
    try:
        assert "digits" in scratch.dvc("status").stdout
    finally:
        (folder / "one.txt").unlink()
    assert "up to date" in scratch.dvc("status").stdout


def test_a_folder_without_pictures_says_what_it_should_look_like(scratch):
    before = scratch.read("params.yaml")
    scratch.set({"data.photos.source": "folder"})
    try:
        done = scratch.call("python", "-m", "dlvc.stages.photos", ok=False)
    finally:
        (scratch.root / "params.yaml").write_text(before, encoding="utf-8")
    assert done.returncode == 2
    assert "train/<class>" in done.stderr
