"""Reads the run on a GPU, which docs/gpu/README.md describes.

It has lecture 40's training at 224 px, and the times of lecture 24's rules in the lecture's loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlvc.evidence.outs import Curve, Curves, Evidence
from dvcview.files.artifacts import read_json


@dataclass(frozen=True)
class GpuRun:
    """Ten epochs at 224 px in bfloat16.

    `curves` has the columns of curves.csv, `training_seconds` and `seconds` (with the test), for
    each seed that was trained to the end. `float32_seconds` is the time of one epoch in float32, or
    None. `rule_seconds` has the median time of an epoch by each of lecture 24's rules, or is empty.
    """

    card: str
    curves: Curves
    float32_seconds: float | None
    rule_seconds: Mapping[str, float]


def read_gpu_run(folder: Path) -> GpuRun | None:
    """The run in `folder`, or None if no training has been completed there."""
    file = folder / "bfloat16.json"
    curves = tuple(_curves(file))
    if not curves:
        return None
    float32 = next(iter(_curves(folder / "float32.json")), None)
    return GpuRun(
        read_json(folder / "machine.json")["card"],
        Curves(str(file), curves),
        float(float32["seconds"][0]) if float32 else None,
        _rule_seconds(folder / "rules.json"),
    )


class GpuEvidence(Evidence):
    """The outs of a run, with lecture 40's training and lecture 24's times from a GPU."""

    def __init__(self, evidence: Evidence, run: GpuRun) -> None:
        lecture = {
            rule: {**times, "seconds": run.rule_seconds.get(rule, times["seconds"])}
            for rule, times in evidence.times["lecture"].items()
        }
        params = {**evidence.params, "densenet.image_size": 224}
        super().__init__(evidence.root, params, {**evidence.times, "lecture": lecture})
        self._run = run

    def curves(self, stage: str) -> Curves:
        """The curves of a training stage; those of `densenet` are from the GPU."""
        return self._run.curves if stage == "densenet" else super().curves(stage)


def _curves(file: Path) -> list[Curve]:
    """The completed trainings of a step; each is a unit such as `seed 40`."""
    units: Mapping[str, Mapping[str, object]] = read_json(file) if file.exists() else {}
    found = []
    for unit, result in units.items():
        rows = result["rows"]
        if result["ended"] == "complete" and isinstance(rows, list):
            columns = {
                name: np.array([float(row[name]) for row in rows])
                for name in rows[0]
                if name != "mode"
            }
            found.append(Curve("", int(unit.removeprefix("seed ")), columns))
    return found


def _rule_seconds(file: Path) -> dict[str, float]:
    """The median over the turns; the units are such as `turn 1, per_epoch`."""
    units = read_json(file) if file.exists() else {}
    seconds: dict[str, list[float]] = {}
    for unit, result in units.items():
        if result["ended"] == "complete":
            rule = unit.partition(", ")[2]
            seconds.setdefault(rule, []).append(result["rows"][0]["seconds_of_epoch"])
    return {rule: float(np.median(values)) for rule, values in seconds.items()}
