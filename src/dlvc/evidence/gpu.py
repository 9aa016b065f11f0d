"""Reads the run of lecture 40 on a GPU, which docs/gpu/README.md describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlvc.evidence.outs import Curve, Curves
from dvcview.files.artifacts import read_json


@dataclass(frozen=True)
class GpuRun:
    """Ten epochs at 224 px in bfloat16.

    `curves` has the columns of curves.csv, `training_seconds` and `seconds` (with the test), for
    each seed that was trained to the end. `float32_seconds` is the time of one epoch in float32, or
    None.
    """

    card: str
    curves: Curves
    float32_seconds: float | None


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
    )


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
