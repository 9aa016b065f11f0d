"""The results of `benchmarks.gpu`, as the report reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlvc.arrays.array_files import write_npy
from dlvc.evidence.gpu import read_gpu_run
from dvcview.files.artifacts import write_json
from tests.imports import ROOT


def training(ended: str, epochs: int) -> dict[str, object]:
    rows = [
        {"mode": "graph", "epoch": n + 1, "test_accuracy": 0.6 + n / 50, "seconds": 12.5}
        for n in range(epochs)
    ]
    return {"ended": ended, "rows": rows}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_json(tmp_path / "machine.json", {"device": "cuda", "card": "a GPU"})
    return tmp_path


def test_there_is_no_run_in_an_empty_folder(tmp_path):
    assert read_gpu_run(tmp_path) is None


def test_a_training_has_the_epochs_that_it_completed(folder):
    units = {"seed 40": training("complete", 10), "seed 41": training("stopped after 9 s", 3)}
    write_json(folder / "bfloat16.json", {**units, "seed 42": training("stopped after 9 s", 0)})
    run = read_gpu_run(folder)
    assert run.card == "a GPU"
    curves = run.curves("bfloat16")
    assert [(curve.training, curve.seed, len(curve)) for curve in curves] == [
        ("", 40, 10),
        ("", 41, 3),
    ]
    assert curves.at("test_accuracy", 3) == pytest.approx([0.64, 0.64])
    assert len(run.curves("float32")) == 0


def test_lecture_40_has_every_seed_that_was_trained_to_the_end(folder):
    write_json(folder / "bfloat16.json", {"seed 40": training("complete", 10)})
    others = {"seed 41": training("complete", 10), "seed 42": training("stopped after 9 s", 3)}
    write_json(folder / "seeds.json", others)
    curves = read_gpu_run(folder).lecture_densenet()
    assert [curve.seed for curve in curves] == [40, 41]
    assert curves.epochs == 10


def test_a_unit_may_name_its_training(folder):
    write_json(folder / "updates.json", {"per_epoch, seed 24": training("complete", 2)})
    (curve,) = read_gpu_run(folder).curves("updates")
    assert (curve.training, curve.seed) == ("per_epoch", 24)


def test_only_turns_that_have_every_rule_count(folder):
    def turn(number, rule, seconds, ended="complete"):
        return {f"turn {number}, {rule}": {"ended": ended, "rows": [{"seconds_of_epoch": seconds}]}}

    units = turn(1, "per_epoch", 2) | turn(1, "per_batch", 3) | turn(2, "per_epoch", 4)
    units |= turn(2, "per_batch", 5, ended="stopped") | turn(3, "per_batch", 6)
    write_json(folder / "rules.json", units)
    found = read_gpu_run(folder).turns("rules", "seconds_of_epoch", ["per_epoch", "per_batch"])
    assert {rule: list(seconds) for rule, seconds in found.items()} == {
        "per_epoch": [2],
        "per_batch": [3],
    }


def test_the_first_kernels_of_each_seed(folder):
    for seed in (41, 40):
        write_npy(folder / f"gray_conv0_seed{seed}.npy", np.full((2, 64, 7, 7, 3), float(seed)))
    write_npy(folder / "seeds_conv0_seed42.npy", np.full((2, 64, 7, 7, 3), 42.0))
    run = read_gpu_run(folder)
    kernels = run.first_kernels("gray", "seeds")
    assert {seed: of_seed.flat[0] for seed, of_seed in kernels.items()} == {40: 40, 41: 41, 42: 42}
    assert run.first_kernels("bfloat16") == {}


def test_the_run_in_this_project_can_be_read():
    run = read_gpu_run(ROOT / "docs/gpu")
    assert run.curves("bfloat16").epochs >= 3
    assert run.memory()["DenseNet-121"]["seconds_of_update"] > 0
