"""Metrics are compared with HEAD's exactly, within a tolerance, or not at all."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dlvc.checks.compare_metrics import TOLERANCES, compare_metrics, other_inputs
from dvcview.project.lockfile import Pipeline
from tests.imports import ROOT

METRICS = {"epoch": 2, "train_loss": 1.0, "test_accuracy": 0.5, "data": "x", "computed": "here"}
FILE = "results/lenet/metrics.json"


def lock(**changes):
    entry = {
        "cmd": "python",
        "deps": [{"path": "data/digits", "md5": changes.get("digits", "0" * 32)}],
        "params": {
            "params.yaml": {
                "lenet": {"epochs": changes.get("epochs", 2)},
                "runtime": {
                    "threads": changes.get("threads", 2),
                    "precision": changes.get("precision", "float32"),
                },
            }
        },
        "outs": [
            {"path": f"results/lenet/{name}", "md5": "1" * 32} for name in ("a.png", "metrics.json")
        ],
    }
    return {"schema": "2.0", "stages": {"lenet": entry}}


def write(root, metrics, content):
    (root / FILE).parent.mkdir(parents=True, exist_ok=True)
    (root / FILE).write_text(json.dumps(metrics))
    YAML(typ="safe").dump(content, root / "dvc.lock")


@pytest.fixture
def root(tmp_path):
    write(tmp_path, METRICS, lock())
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").touch()
    (tmp_path / "dvc.yaml").write_text("stages:\n  lenet:\n    cmd: python\n")
    for words in (
        ("init", "--quiet", "--initial-branch=main"),
        ("config", "user.name", "test"),
        ("config", "user.email", "test@example.invalid"),
        ("add", "--all"),
        ("commit", "--quiet", "--message", "one"),
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return tmp_path


def compare(root: Path):
    states = Pipeline(root, root, None).states()
    (found,) = compare_metrics(root, states, {FILE})
    return found.how, found.differing


CLOSE = {"train_loss": 1.0 + TOLERANCES["lenet"].loss / 2}
FAR = {"train_loss": 1.0 + TOLERANCES["lenet"].loss * 2}


@pytest.mark.parametrize(
    ("changed", "state", "how", "differing"),
    [
        ({}, {}, "exactly, computed the same way", ()),
        (CLOSE, {}, "exactly, computed the same way", ("train_loss",)),
        ({"computed": "there"}, {}, "within tolerance, computed another way", ()),
        ({"computed": "there", **CLOSE}, {}, "within tolerance, computed another way", ()),
        (
            {"computed": "there", **FAR},
            {},
            "within tolerance, computed another way",
            ("train_loss",),
        ),
        (
            {"computed": "there", "data": "y"},
            {},
            "within tolerance, computed another way",
            ("data",),
        ),
        (CLOSE, {"threads": 1}, "within tolerance, computed another way", ()),
        ({"computed": None, **CLOSE}, {}, "within tolerance, unknown how it was computed", ()),
        (FAR, {"epochs": 3}, "not compared, another lenet.epochs than HEAD's", ()),
        (FAR, {"digits": "1" * 32}, "not compared, another data/digits than HEAD's", ()),
        (FAR, {"precision": "bfloat16"}, "not compared, another runtime.precision than HEAD's", ()),
        ({"more": 1}, {}, "exactly, computed the same way", ("more",)),
    ],
)
def test_what_is_compared_and_how(root, changed, state, how, differing):
    write(root, METRICS | changed, lock(**state))
    found, problems = compare(root)
    assert found == how
    assert [problem.partition(" is ")[0] for problem in problems] == list(differing)


def test_metrics_that_are_not_committed_are_not_compared(root):
    subprocess.run(["git", "rm", "--quiet", "--cached", FILE], cwd=root, check=True)
    subprocess.run(["git", "commit", "--quiet", "--message", "two"], cwd=root, check=True)
    assert compare(root) == ("not compared, HEAD has none", ())


def test_damaged_metrics_are_not_compared_on_top(root):
    assert list(compare_metrics(root, Pipeline(root, root, None).states(), set())) == []


def test_many_differing_inputs_are_not_all_named(root):
    states = Pipeline(ROOT, ROOT, None).states()
    named = other_inputs(states["lenet"], states["densenet"])
    assert named.endswith(" more")
    assert len(named.split(", ")) == 3


def test_every_training_has_a_tolerance():
    stages = Pipeline(ROOT, ROOT, None).states().items()
    trained = {name for name, state in stages if any("metrics" in out for out in state.outs)}
    assert set(TOLERANCES) == trained
