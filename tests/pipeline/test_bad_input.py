"""Mistakes made on purpose: a line that helps, exit code 2, nothing lost."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

full = pytest.mark.full


def snapshot(project):
    """Every file that a stage has left, with its time of change."""
    return {file: file.stat().st_mtime_ns for file in left(project)}


def left(project):
    """Every file that a stage has left."""
    folders = (project.root / "results", project.root / "data")
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    return [*files, project.root / "params.schema.json"]


@contextmanager
def instead_of_params(project, put):
    """`put` what it likes in the place of params.yaml; then the good one is there again."""
    file = project.root / "params.yaml"
    good = file.read_bytes()
    file.unlink()
    try:
        put(file)
        yield
    finally:
        file.rmdir() if file.is_dir() else file.unlink(missing_ok=True)
        file.write_bytes(good)


def edited(project, pattern, mistake):
    """The text of params.yaml with one mistake."""
    text = project.read("params.yaml")
    wrong = re.sub(pattern, mistake, text, count=1)
    assert wrong != text
    return wrong


def test_a_mistake_in_params_is_one_line_and_touches_nothing(scratch):
    """tests/dlvc/params/test_reader.py has each mistake; both commands get one of them here."""
    before = snapshot(scratch)
    wrong = edited(scratch, r"learning_rate: 10\b", "learningrate: 10")
    with instead_of_params(scratch, lambda file: file.write_text(wrong, encoding="utf-8")):
        by_dlvc = scratch.call("dlvc", "run", ok=False)
        by_dvc = scratch.dvc("repro", ok=False)
    line = "error: params.yaml: unknown key perceptron.learningrate"
    assert by_dlvc.returncode == 2
    assert by_dlvc.stderr.startswith(line)
    assert by_dlvc.stderr.count("\n") == 1
    assert by_dvc.returncode != 0
    assert line in by_dvc.stderr
    assert "Traceback" not in by_dvc.stderr
    assert snapshot(scratch) == before


@full
def test_a_pipe_in_the_place_of_params_is_one_line_and_touches_nothing(scratch):
    """DVC itself would wait for it for ever."""
    before = snapshot(scratch)
    with instead_of_params(scratch, os.mkfifo):
        by_dlvc = scratch.call("dlvc", "run", ok=False)
    assert by_dlvc.returncode == 2
    line = "error: params.yaml: cannot be read (a pipe or device, not a file)\n"
    assert by_dlvc.stderr == line
    assert snapshot(scratch) == before


@full
def test_a_path_is_a_path_and_no_command(scratch):
    path = "; touch marker $(touch marker)"
    before = snapshot(scratch)
    wrong = edited(scratch, r"path: data/pictures/digits", lambda _: f"path: '{path}'")
    with instead_of_params(scratch, lambda file: file.write_text(wrong, encoding="utf-8")):
        by_dlvc = scratch.call("dlvc", "run", ok=False)
        by_dvc = scratch.dvc("repro", ok=False)
    assert by_dlvc.returncode == 2
    line = f"error: data.digits.path is {path!r}, which is neither a folder nor a file; "
    assert by_dlvc.stderr.startswith(line)
    assert by_dlvc.stderr.count("\n") == 1
    assert line in by_dvc.stderr
    assert "Traceback" not in by_dvc.stderr
    assert not list(scratch.root.parent.rglob("marker"))
    assert snapshot(scratch) == before


@full
def test_a_mistake_on_the_way_of_dvc_or_mlflow_is_said_and_touches_nothing(scratch):
    """DVC has written params.yaml by then, and every file that is in git, as it was; MLflow calls
    `dlvc run`, which asks before. The run of `mlflow run` has failed."""
    before, good = {file: file.read_bytes() for file in left(scratch)}, scratch.read("params.yaml")
    try:
        by_dvc = scratch.dvc(
            "exp", "run", "-S", "lenet.epochs='; touch marker $(touch marker)'", "lenet", ok=False
        )
    finally:
        (scratch.root / "params.yaml").write_text(good, encoding="utf-8")
    by_mlflow = scratch.call(
        "mlflow", "run", ".", "--env-manager", "local", "-e", "lenet",
        "-P", "lenet.epochs=; touch marker $(touch marker)", ok=False,
    )  # fmt: skip
    for done in (by_dvc, by_mlflow):
        assert done.returncode != 0
        assert len([line for line in done.stderr.splitlines() if line.startswith("error: ")]) == 1
        assert "lenet.epochs is '; touch marker $(touch marker)'; allowed: integer" in done.stderr
        assert "Traceback" not in done.stderr
    (run,) = scratch.client.search_runs(["0"], "tags.`mlflow.project.entryPoint` = 'lenet'")
    assert run.info.status == "FAILED"
    assert not list(scratch.root.rglob("marker"))
    assert scratch.read("params.yaml") == good
    assert {file: file.read_bytes() for file in left(scratch)} == before


@full
def test_a_loss_that_is_not_a_number_stops_the_stage_and_says_where(scratch):
    text = scratch.read("params.yaml")
    scratch.set({"update_rules.per_batch.learning_rate": 1e30})
    try:
        done = scratch.call("python", "src/stage.py", "update_rules", "per_batch", ok=False)
    finally:
        (scratch.root / "params.yaml").write_text(text, encoding="utf-8")
    assert done.returncode == 2
    assert re.search(r"error: the loss is (nan|inf) at epoch 1, update \d+;", done.stderr)
    assert "Traceback" not in done.stderr
    assert "up to date" in scratch.dvc("status").stdout


@full
def test_pictures_that_change_run_again_what_depends_on_them(scratch):
    folder = scratch.root / "data/pictures/digits"
    (folder / "one.txt").write_text("not a picture")
    try:
        assert "digits" in scratch.dvc("status").stdout
    finally:
        (folder / "one.txt").unlink()
    assert "up to date" in scratch.dvc("status").stdout


@full
def test_a_name_that_is_not_utf_8_is_one_line(scratch):
    folder = scratch.root / "data/pictures/digits/train"
    folder.mkdir(parents=True)
    file = os.fsencode(folder) + b"/\xff\xe9.png"
    Path(os.fsdecode(file)).write_bytes(b"")
    try:
        done = scratch.call("dlvc", "run", "digits", ok=False)
    finally:
        shutil.rmtree(folder)
    assert done.returncode == 2
    assert done.stderr == (
        "error: data/pictures/digits/train: the name '\\udcff\\udce9.png' is not UTF-8; rename it\n"
    )


@full
def test_a_folder_without_pictures_says_what_it_should_look_like(scratch):
    before = scratch.read("params.yaml")
    scratch.set({"data.photos.source": "folder"})
    try:
        done = scratch.call("python", "src/stage.py", "photos", ok=False)
    finally:
        (scratch.root / "params.yaml").write_text(before, encoding="utf-8")
    assert done.returncode == 2
    assert "train/<class>" in done.stderr
