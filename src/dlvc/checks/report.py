"""Contracts of the stages `claims`, `costs` and `report`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlvc.arrays.array_files import read_npy
from dlvc.checks.contract import Contract, Outs
from dlvc.checks.training import CURVE
from dvcview.files.artifacts import read_csv, read_json

LARGEST_PAGE = 3_000_000  # bytes
VERDICTS = {"holds", "holds in part", "does not hold", "undecided", "not tested here"}


def exercise(*arrays: str) -> tuple[Contract, ...]:
    """`claims`: about.json, the curves of all trainings, and the arrays of the exercise."""

    def about(outs: Outs) -> Iterator[str]:
        found = read_json(outs / "about.json")
        wanted = {"data", "images", "epochs", "diverged"}
        if found.get("epochs"):  # an exercise that is switched off computes nothing
            wanted |= {"computed"}
        if set(found) != wanted:
            yield f"lacks or adds keys: {', '.join(sorted(set(found) ^ wanted))}"
        asked = outs.params[f"{outs.state.stage.replace('@', '.')}.epochs"]
        if found["epochs"] != asked:
            yield f"has {found['epochs']} epochs, expected {asked}"
        there = (outs / "trainings.csv").exists()
        if there != bool(asked):
            yield f"trainings.csv is {'there' if there else 'not there'}, with {asked} epochs"
        elif there:
            yield from curves(outs)
            for name in arrays:
                if not np.isfinite(read_npy(outs / name)).all():
                    yield f"{name} has numbers that are not finite"

    def curves(outs: Outs) -> Iterator[str]:
        rows = read_csv(outs / "trainings.csv")
        columns = ("training", "seed", *CURVE)
        if tuple(rows[0]) != columns:
            yield f"trainings.csv has the columns {', '.join(rows[0])}"
            return
        numbers = np.array([[float(row[key]) for key in CURVE] for row in rows])
        if not (np.isfinite(numbers) & (numbers >= 0)).all():
            yield "trainings.csv has numbers that are not finite or below 0"

    return (Contract("about.json", about),)


def costs() -> tuple[Contract, ...]:
    """`costs`: one row per model, with counts above 0."""

    def models(outs: Outs) -> Iterator[str]:
        for row in read_csv(outs / "models.csv"):
            counts = [int(value) for key, value in row.items() if key not in ("model", "input")]
            if min(counts) <= 0:
                yield f"{row['model']} has a count that is not above 0"

    return (Contract("models.csv", models),)


def report() -> tuple[Contract, ...]:
    """`report`: a verdict on every claim, and a page that mentions every claim."""

    def verdicts(outs: Outs) -> Iterator[str]:
        found = read_json(outs / "verdicts.json")
        unknown = {claim: word for claim, word in found.items() if word not in VERDICTS}
        if unknown or not found:
            yield f"has unknown verdicts: {unknown or 'no claim at all'}"

    def page(outs: Outs) -> Iterator[str]:
        content = (outs / "index.html").read_bytes()
        if len(content) > LARGEST_PAGE:
            yield f"has {len(content)} bytes; allowed: {LARGEST_PAGE}"
        text = content.decode()
        absent = [claim for claim in read_json(outs / "verdicts.json") if claim not in text]
        if absent:
            yield f"does not mention {', '.join(absent)}"

    return (
        Contract("verdicts.json", verdicts),
        Contract("index.html", page, ("verdicts.json",)),
    )
