"""The results of `benchmarks.gpu`, as the report reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlvc.evidence.gpu import read_gpu_run
from dvcview.files.artifacts import write_json


def training(ended: str, epochs: int) -> dict[str, object]:
    rows = [
        {"mode": "graph", "epoch": n + 1, "test_accuracy": 0.6 + n / 50, "seconds": 12.5}
        for n in range(epochs)
    ]
    return {"ended": ended, "rows": rows}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_json(tmp_path / "machine.json", {"device": "cuda", "card": "a GPU"})
    write_json(
        tmp_path / "bfloat16.json",
        {"seed 40": training("complete", 10), "seed 41": training("stopped", 3)},
    )
    return tmp_path


def test_a_run_has_the_seeds_that_were_trained_to_the_end(folder):
    run = read_gpu_run(folder)
    assert run is not None
    assert run.card == "a GPU"
    assert [curve.seed for curve in run.curves] == [40]
    assert run.curves.epochs == 10
    assert run.curves.last("test_accuracy") == pytest.approx([0.78])
    assert run.float32_seconds is None


def test_a_run_has_the_time_of_an_epoch_in_float32(folder):
    write_json(folder / "float32.json", {"seed 40": training("complete", 1)})
    run = read_gpu_run(folder)
    assert run is not None
    assert run.float32_seconds == 12.5


def test_there_is_no_run_before_a_training_is_complete(folder):
    write_json(folder / "bfloat16.json", {"seed 40": training("stopped", 9)})
    assert read_gpu_run(folder) is None
    assert read_gpu_run(folder / "nothing") is None
