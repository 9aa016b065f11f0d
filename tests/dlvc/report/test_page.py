from pathlib import Path

import pytest

from dlvc.evidence.lectures import read_lectures
from dlvc.evidence.outs import Evidence
from dlvc.report.page import remark_on, time_row
from dvcview.files.artifacts import write_json
from tests.imports import ROOT

SUMMARY = {
    "stand_in_for": "CIFAR-10", "classes": ["a", "b"],
    "train": {"images": 4}, "test": {"images": 2},
}  # fmt: skip


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    return Evidence(tmp_path, {}, {}, {})


def lecture(number: str):
    (found,) = (one for one in read_lectures(ROOT / "lectures.yaml") if one.number == number)
    return found


def write_gpu_run(folder: Path) -> None:
    rows = [
        {"mode": "graph", "epoch": epoch, "test_accuracy": 0.6 + epoch / 50, "seconds": 12.5}
        for epoch in range(1, 11)
    ]
    write_json(folder / "machine.json", {"card": "a GPU"})
    write_json(folder / "bfloat16.json", {"seed 40": {"ended": "complete", "rows": rows}})


def test_lecture_40_says_whether_it_has_run_on_a_gpu(evidence):
    evidence.params = {"densenet.image_size": 224}
    write_json(evidence.root / "data/photos/summary.json", SUMMARY)
    assert remark_on(evidence, lecture("40")).endswith("is prepared and not yet run.")
    write_gpu_run(evidence.root / "docs/gpu")
    assert remark_on(evidence, lecture("40")) == (
        "At 224 px in bfloat16, an epoch takes 12.5 s on a GPU (the lecture prints 570 s), and the "
        "test accuracy goes from 62.0 % after one epoch to 80.0 % after epoch 10."
    )


def test_lecture_24_says_how_many_updates_an_epoch_of_this_run_has(evidence):
    for rule, updates in (("per_epoch", 1), ("per_batch", 60), ("per_sample", 6000)):
        folder = evidence.root / "results/update_rules" / rule
        folder.mkdir(parents=True)
        (folder / "seeds.csv").write_text(f"seed,epoch,updates\n0,1,{updates}\n")
    assert (
        remark_on(evidence, lecture("24")) == "In this run, an epoch has 1, 60 and 6,000 updates."
    )
    assert not remark_on(evidence, lecture("29"))


def test_a_row_of_times_has_what_a_lecture_prints_and_our_time_if_it_was_measured(evidence):
    evidence.times = {"ours": {"per_sample": {"seconds": 2.346}}}
    assert time_row(evidence, lecture("24"), "update_rules@per_sample") == {
        "lecture": "24", "name": "per sample", "first": "64 s", "later": "63 to 64 s",
        "total": "–", "ours": "2.346 s",
    }  # fmt: skip
    assert time_row(evidence, lecture("40"), "densenet") == {
        "lecture": "40", "name": "DenseNet-121", "first": "568 s", "later": "569 to 573 s",
        "total": "5704 s", "ours": "not measured",
    }  # fmt: skip
    write_gpu_run(evidence.root / "docs/gpu")
    assert time_row(evidence, lecture("40"), "densenet")["ours"] == "12.5 s on a GPU"
