"""The results of `benchmarks.gpu`, as the report reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlvc.evidence.gpu import read_gpu_run
from dlvc.report.judge import ON_GPU, RULES, judge_on_gpu
from dlvc.report.verdict import HOLDS, IN_PART, REFUTED
from dvcview.files.artifacts import write_json
from tests.dlvc.report.made_up import Made


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


def test_the_run_decides_claims_on_the_lectures_size_and_times(folder, tmp_path):
    """The outs themselves have lecture 40 at 32 px, and times at which claim 24-3 fails."""
    made = Made(tmp_path / "project")
    made.training("densenet", test_accuracy=[[0.1] * 10], train_loss=[1] * 10, test_loss=[2] * 10)
    for rule in ("per_batch", "per_sample"):
        made.training(f"update_rules@{rule}", test_accuracy=[[0.96] * 10])
    lecture = [0.5927, 0.7402, 0.7774, 0.7650, 0.8475, 0.8390, 0.8513, 0.8426, 0.8543, 0.8606]
    rows = [
        {
            "mode": "graph", "epoch": n + 1, "test_accuracy": accuracy, "train_loss": 1,
            "test_loss": 2, "seconds": 12,
        }
        for n, accuracy in enumerate(lecture)
    ]  # fmt: skip
    write_json(folder / "bfloat16.json", {"seed 40": {"ended": "complete", "rows": rows}})
    turns = {
        f"turn {turn}, {rule}": {"ended": "complete", "rows": [{"seconds_of_epoch": seconds}]}
        for turn in (1, 2, 3)
        for rule, seconds in (
            ("per_epoch", 2.0),
            ("per_batch", 2.0 + turn / 10),
            ("per_sample", 66),
        )
    }
    write_json(folder / "rules.json", turns)
    evidence = made.evidence()
    assert judge_on_gpu(evidence, tmp_path / "nothing") == {}
    found = judge_on_gpu(evidence, folder)
    assert set(found) == set(ON_GPU)
    assert found["40-3"].word == found["24-3"].word == HOLDS
    assert "30 in the lecture's loop" in found["24-3"].parts[0].found  # 66 / 2.2
    assert RULES["24-3"](evidence).word == IN_PART
    assert RULES["40-3"](evidence).word == REFUTED
