"""Mistakes made on purpose: a line that helps, exit code 2, nothing lost."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager

import pytest


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


MISTAKES = [
    (r"learning_rate: 10\b", "learningrate: 10", "perceptron.learningrate is not known"),
    (r"learning_rate: 10\b", "learning_rate: ten", "perceptron.learning_rate is 'ten'"),
    (r"learning_rate: 10\b", "learning_rate: .nan", "perceptron.learning_rate is nan"),
    (r"  learning_rate: 10\b.*\n", "", "perceptron.learning_rate is missing"),
    (r"device: auto", "device: tpu", "runtime.device is 'tpu'"),
    (
        r"path: data/pictures/digits",
        "path: https://me:sesame@127.0.0.1:9/",
        "data.digits.path is 'https://***@127.0.0.1:9/'",
    ),
]


@pytest.mark.parametrize(("pattern", "mistake", "says"), MISTAKES)
def test_a_mistake_in_params_is_one_line_and_touches_nothing(scratch, pattern, mistake, says):
    before, wrong = snapshot(scratch), edited(scratch, pattern, mistake)
    with instead_of_params(scratch, lambda file: file.write_text(wrong, encoding="utf-8")):
        by_dlvc = scratch.call("dlvc", "run", ok=False)
        by_dvc = scratch.dvc("repro", ok=False)
    assert by_dlvc.returncode == 2
    (line,) = by_dlvc.stderr.splitlines()
    assert line.startswith(f"error: params.yaml: {says}")
    assert by_dvc.returncode != 0
    assert f"error: params.yaml: {says}" in by_dvc.stderr
    assert "Traceback" not in by_dvc.stderr
    assert snapshot(scratch) == before


# what is in the place of params.yaml, what `dlvc run` says of it; DVC, which reads it first, says
# something of its own, or waits for ever for a pipe
NO_PARAMS = {
    "a pipe": (os.mkfifo, "cannot be read (a pipe or device, not a file)"),
    "a folder": (os.mkdir, "cannot be read (Is a directory)"),
    "a link to nothing": (lambda file: file.symlink_to("nothing"), "cannot be read (No such file"),
    "an endless device": (lambda file: file.symlink_to("/dev/zero"), "cannot be read (a pipe or"),
    "100 MB": (
        lambda file: (file.touch(), os.truncate(file, 100_000_000)),
        "100000000 characters long; allowed: at most 20000",
    ),
    "UTF-16": (lambda file: file.write_text("lenet: 3", "utf-16"), "not UTF-8 text (byte 0)"),
    "aliases that stand for more than memory holds": (
        lambda file: file.write_text(
            "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
        ),
        "line 2: not valid YAML (aliases are not allowed",
    ),
}


@pytest.mark.parametrize(("put", "says"), NO_PARAMS.values(), ids=NO_PARAMS)
def test_something_else_in_the_place_of_params_is_one_line_and_touches_nothing(scratch, put, says):
    before = snapshot(scratch)
    with instead_of_params(scratch, put):
        by_dlvc = scratch.call("dlvc", "run", ok=False)
    assert by_dlvc.returncode == 2
    (line,) = by_dlvc.stderr.splitlines()
    assert line.startswith("error: params.yaml")
    assert says in line
    assert snapshot(scratch) == before


@pytest.mark.parametrize(
    "path", ["$(touch marker)", "; touch marker", "`touch marker`", "../../nowhere", "-rf", "a b"]
)
def test_a_path_is_a_path_and_no_command(scratch, path):
    before = snapshot(scratch)
    wrong = edited(scratch, r"path: data/pictures/digits", lambda _: f"path: '{path}'")
    with instead_of_params(scratch, lambda file: file.write_text(wrong, encoding="utf-8")):
        by_dlvc = scratch.call("dlvc", "run", ok=False)
        by_dvc = scratch.dvc("repro", ok=False)
    assert by_dlvc.returncode == 2
    line = f"error: data.digits.path is {path!r}, where no folder and no file is; "
    assert by_dlvc.stderr.startswith(line)
    assert by_dlvc.stderr.count("\n") == 1
    assert line in by_dvc.stderr
    assert "Traceback" not in by_dvc.stderr
    assert not list(scratch.root.parent.rglob("marker"))
    assert snapshot(scratch) == before


# words for `dvc exp run -S` and `mlflow run -P`, what our line says of them
WORDS = [
    ("lenet.epochs=many", "lenet.epochs is 'many'; allowed: integer"),
    ("lenet.epochs=$(touch marker)", "lenet.epochs is '$(touch marker)'; allowed: integer"),
    ("lenet.learning_rate=-1", "lenet.learning_rate is -1; allowed: greater than 0"),
    ("runtime.device='cpu; touch marker'", "runtime.device is "),
]


@pytest.mark.parametrize(("word", "says"), WORDS)
def test_a_mistake_on_the_way_of_dvc_or_mlflow_is_said_and_touches_nothing(scratch, word, says):
    """DVC has written params.yaml by then, and every file that is in git, as it was; MLflow calls
    `dlvc run`, which asks before."""
    before, good = {file: file.read_bytes() for file in left(scratch)}, scratch.read("params.yaml")
    quoted = re.sub(r"=(\$.*)", r"='\1'", word)  # a text, in the grammar of -S
    try:
        by_dvc = scratch.dvc("exp", "run", "-S", quoted, "lenet", ok=False)
    finally:
        (scratch.root / "params.yaml").write_text(good, encoding="utf-8")
    by_mlflow = scratch.call(
        "mlflow", "run", ".", "--env-manager", "local", "-e", "lenet", "-P", word, ok=False
    )
    for done in (by_dvc, by_mlflow):
        assert done.returncode != 0
        assert len([line for line in done.stderr.splitlines() if line.startswith("error: ")]) == 1
        assert says in done.stderr
        assert "Traceback" not in done.stderr
    assert not list(scratch.root.rglob("marker"))
    assert scratch.read("params.yaml") == good
    assert {file: file.read_bytes() for file in left(scratch)} == before


@pytest.mark.parametrize("stage", [["lenet"], []])
def test_a_mistake_on_the_command_line_leaves_params_as_they_were(scratch, stage):
    before = scratch.read("params.yaml")
    done = scratch.call("dlvc", "run", *stage, "--lenet.epochs", "many", ok=False)
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
        done = scratch.call("python", "-m", "dlvc.stages", "update_rules", "per_batch", ok=False)
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
        done = scratch.call("python", "-m", "dlvc.stages", "photos", ok=False)
    finally:
        (scratch.root / "params.yaml").write_text(before, encoding="utf-8")
    assert done.returncode == 2
    assert "train/<class>" in done.stderr
