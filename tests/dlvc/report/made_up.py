"""Outs of a project that never ran: what the rules read, with every number chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from dlvc.arrays.array_files import write_npy
from dlvc.evidence.gpu import read_gpu_run
from dlvc.evidence.lectures import printed_figures, read_lectures
from dlvc.evidence.outs import CIFAR10_CLASSES, Evidence
from dlvc.models.costs import activation_rows, size_rows
from dlvc.params.reader import read_params
from dlvc.report.judge import RULES
from dlvc.report.verdict import Verdict
from dvcview.files.artifacts import write_csv, write_json
from dvcview.project.params import flatten
from tests.imports import ROOT

COLUMNS = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")


@cache
def lectures_figures() -> Mapping[str, Mapping[str, Mapping[int, float]]]:
    """The figures of lectures.yaml, which is parsed once."""
    return printed_figures(read_lectures(ROOT / "lectures.yaml"))


class Made:
    """A folder into which outs are written by what they should say."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.params = flatten(read_params(ROOT / "params.yaml").model_dump())
        self.times = json.loads((ROOT / "benchmarks/rules.json").read_text())
        self.images("digits", real=True)
        self.images("photos", real=True)

    def evidence(self) -> Evidence:
        """Read afresh, as the stage does; with the run on a GPU if there is one."""
        gpu = read_gpu_run(self.root / "docs/gpu")
        return Evidence(self.root, self.params, self.times, lectures_figures(), gpu)

    def gpu(self, step: str, ended: str = "complete", **units: Sequence[Mapping[str, Any]]) -> None:
        """The results of a step of the run on a GPU: rows by unit (`_` for a blank)."""
        folder = self.root / "docs/gpu"
        write_json(folder / "machine.json", {"card": "a GPU"})
        results = {
            unit.replace("_", " "): {"ended": ended, "rows": list(rows)}
            for unit, rows in units.items()
        }
        write_json(folder / f"{step}.json", results)

    def images(self, name: str, *, real: bool) -> None:
        numbers = {"digits": (60_000, 10_000), "photos": (50_000, 10_000)}[name]
        classes = [str(digit) for digit in range(10)] if name == "digits" else list(CIFAR10_CLASSES)
        original = {"digits": "MNIST", "photos": "CIFAR-10"}[name]
        write_json(
            self.root / f"data/{name}/summary.json",
            {
                "name": original if real else "a stand-in", "classes": classes,
                "stand_in_for": None if real else original,
                "train": {"images": numbers[0]}, "test": {"images": numbers[1]},
            },
        )  # fmt: skip

    def _rows(self, curves, updates):
        """One row a seed and epoch; `curves` has a column as (seeds, epochs), or for one seed."""
        given = {key: np.atleast_2d(values) for key, values in curves.items()}
        seeds, epochs = next(iter(given.values())).shape
        for seed in range(seeds):
            for epoch in range(epochs):
                row = {"seed": seed, "epoch": epoch + 1, "updates": updates * (epoch + 1)}
                for column in (*COLUMNS, "train_loss_lecture_scale"):
                    values = given.get(column)
                    row[column] = 0.5 if values is None else float(values[seed, epoch])
                yield row

    def training(self, stage: str, updates: int = 1, **curves) -> None:
        """The seeds.csv of a stage."""
        rows = list(self._rows(curves, updates))
        write_csv(self.root / f"results/{stage.replace('@', '/')}/seeds.csv", rows)

    def exercise(self, name: str, images: int = 1000, diverged=(), **trainings) -> None:
        """Trainings by name (`_` for a blank, `p` for a point), each (updates, column, values)."""
        folder, rows, epochs = self.root / f"results/claims/{name}", [], 0
        for training, (updates, column, values) in trainings.items():
            title = training.replace("_", " ").replace("p", ".") if "rate" in training else training
            for row in self._rows({column: values}, updates):
                epochs = max(epochs, row["epoch"])
                rows.append({"training": title.replace("_", " "), **row})
        if rows:
            write_csv(folder / "trainings.csv", rows)
        about = {"images": images, "epochs": epochs, "diverged": list(diverged)}
        write_json(folder / "about.json", about)

    def array(self, file: str, values) -> None:
        write_npy(self.root / file, np.asarray(values, dtype=np.float32))

    def costs(self, **parameters) -> None:
        """The tables of the stage `costs`, with these parameters and activation bytes."""
        folder = self.root / "results/costs"
        rows = [
            {
                "model": name.replace("_", "-"), "input": "", "parameters": number, "operations": 1,
                "parameter_bytes": 4 * number, "activation_bytes": kept,
            }
            for name, (number, kept) in parameters.items()
        ]  # fmt: skip
        if rows:
            write_csv(folder / "models.csv", rows)
        write_csv(folder / "activations.csv", list(activation_rows(10, 2)))
        write_csv(folder / "sizes.csv", list(size_rows()))


def verdict(made: Made, claim: str) -> Verdict:
    """The verdict on a claim."""
    return RULES[claim](made.evidence())


def word(made: Made, claim: str) -> str:
    """The verdict on a claim, in words."""
    return verdict(made, claim).word


def marks(made: Made, claim: str) -> str:
    """The symbols of the parts of the verdict on a claim, such as "✓✗"."""
    return "".join(part.mark for part in verdict(made, claim).parts)
