"""Reads the run on a GPU, which docs/gpu/README.md describes.

It has lecture 40's training at 224 px, and the times of lecture 24's rules in the lecture's loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlvc.evidence.curves import Curve, Curves, Numbers
from dvcview.files.artifacts import read_json, readable

COMPLETE = "complete"


@dataclass(frozen=True)
class GpuRun:
    """The results of `benchmarks.gpu` in a folder. `card` is the name of the GPU."""

    folder: Path
    card: str

    def file(self, step: str) -> str:
        """The file with the results of a step, relative to the project's folder."""
        return f"docs/gpu/{step}.json"

    def curves(self, step: str) -> Curves:
        """The curves of a step, whose units are such as `seed 40` or `per_batch, seed 24`.

        A training that was stopped has the epochs that it completed.
        """
        found = []
        for unit, result in self._units(step).items():
            training, _, seed = unit.rpartition("seed ")
            if rows := result["rows"]:
                columns = {
                    name: np.array([float(row[name]) for row in rows])
                    for name in rows[0]
                    if name != "mode"
                }
                found.append(Curve(training.rstrip(", "), int(seed), columns))
        return Curves(self.file(step), tuple(found))

    def lecture_densenet(self) -> Curves:
        """Lecture 40's training, from each seed that has as many epochs as the longest one."""
        curves = (*self.curves("bfloat16"), *self.curves("seeds"))
        return Curves(self.file("bfloat16"), curves).complete()

    def turns(self, step: str, column: str, names: Sequence[str]) -> dict[str, Numbers]:
        """What was measured in each turn, `(turns,)` by name; the units are `turn 1, NAME`.

        Only the turns in which all of these names were completed count.
        """
        turns: dict[str, dict[str, float]] = {}
        for unit, result in self._units(step).items():
            turn, _, name = unit.partition(", ")
            if result["ended"] == COMPLETE:
                turns.setdefault(turn, {})[name] = result["rows"][0][column]
        whole = [measured for measured in turns.values() if measured.keys() >= set(names)]
        return {name: np.array([measured[name] for measured in whole]) for name in names}

    def memory(self) -> dict[str, Mapping[str, Any]]:
        """The rows of the step `memory` by model."""
        units = self._units("memory")
        return {
            model: result["rows"][0]
            for model, result in units.items()
            if result["ended"] == COMPLETE
        }

    def first_kernels(self, *steps: str) -> dict[int, Numbers]:
        """DenseNet-121's first kernels before and after steps, `(2, 64, 7, 7, 3)`, by seed."""
        kernels = {}
        for step in steps:
            for file in sorted(self.folder.glob(f"{step}_conv0_seed*.npy")):
                with readable(file, ".npy array"):
                    seed = int(file.stem.rpartition("seed")[2])
                    kernels[seed] = np.load(file).astype(np.float64)
        return kernels

    def _units(self, step: str) -> Mapping[str, Any]:
        file = self.folder / f"{step}.json"
        units: Mapping[str, Any] = read_json(file) if file.exists() else {}
        return units


def read_gpu_run(folder: Path) -> GpuRun | None:
    """The run in `folder`, or None if there is none."""
    file = folder / "machine.json"
    return GpuRun(folder, read_json(file)["card"]) if file.exists() else None
