"""The first epoch on the real MNIST, held to the figures that the lectures print.

Runs where `DLVC_MIRROR` names a folder or an address with MNIST's four files. The tolerances are
the largest distance of three seeds from the lecture's figure (docs/laptop/), rounded up.
"""

from __future__ import annotations

import json
import os

import pytest

from tests.pipeline.project import Project

MIRROR = os.environ.get("DLVC_MIRROR")
pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(not MIRROR, reason="DLVC_MIRROR is not set: no MNIST here"),
]

ONE_EPOCH = {
    "update_rules.per_epoch.seeds": 1,
    "update_rules.per_batch.seeds": 1,
    "update_rules.per_sample.seeds": 1,
    "optimizers.seeds": 1,
    "lenet.seeds": 1,
    "data.digits.source": "mnist",
    "update_rules.per_epoch.epochs": 1,
    "update_rules.per_batch.epochs": 1,
    "update_rules.per_sample.epochs": 1,
    "optimizers.epochs": 1,
    "lenet.epochs": 1,
}
# stage: ((train loss, tolerance), (test accuracy, tolerance))
LECTURES = {
    "update_rules/per_epoch": ((2.304, 0.005), (0.1017, 0.04)),
    "update_rules/per_batch": ((0.576, 0.02), (0.9270, 0.01)),
    "update_rules/per_sample": ((0.2214, 0.005), (0.9601, 0.005)),
    "optimizers/sgd": ((2.2994, 0.005), (0.1150, 0.06)),
    "optimizers/momentum": ((2.2956, 0.01), (0.2020, 0.11)),
    "optimizers/adam": ((0.6975, 0.01), (0.9141, 0.005)),
    "lenet": (None, (0.8815, 0.015)),
}


def test_the_first_epoch_is_the_lectures(tmp_path):
    mnist = Project.copy(tmp_path, ONE_EPOCH)
    mnist.dvc("repro", "update_rules", "optimizers", "lenet", DLVC_MIRROR=MIRROR)
    summary = json.loads(mnist.read("data/digits/summary.json"))
    assert summary["stand_in_for"] is None
    assert summary["train"]["images"] == 60_000
    assert summary["test"]["images"] == 10_000
    for stage, (loss, (accuracy, tolerance)) in LECTURES.items():
        metrics = json.loads(mnist.read(f"results/{stage}/metrics.json"))
        assert metrics["test_accuracy"] == pytest.approx(accuracy, abs=tolerance), stage
        if loss:
            assert metrics["train_loss"] == pytest.approx(loss[0], abs=loss[1]), stage
