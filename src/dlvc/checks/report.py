"""What has to be true of the exercises, the costs and the report."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlvc.checks.training import CURVE
from dvcview.files.artifacts import read_csv, read_json, read_npy
from dvcview.verify.contract import Contract, Outs

LARGEST_PAGE = 3_000_000  # bytes
VERDICTS = {"holds", "holds in part", "does not hold", "not tested here"}


def exercise(*arrays: str) -> tuple[Contract, ...]:
    """Of a stage `claims`: every curve, and what else it keeps."""

    def about(outs: Outs) -> Iterator[str]:
        found = read_json(outs / "about.json")
        wanted = {"data", "images", "epochs", "diverged", "computed"}
        if set(found) != wanted:
            yield f"has not the expected keys: {', '.join(sorted(set(found) ^ wanted))}"
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
    """Of the stage `costs`: a row a model, with counts above 0."""

    def models(outs: Outs) -> Iterator[str]:
        for row in read_csv(outs / "models.csv"):
            counts = [int(value) for key, value in row.items() if key not in ("model", "input")]
            if min(counts) <= 0:
                yield f"{row['model']} has a count that is not above 0"

    return (Contract("models.csv", models),)


def report() -> tuple[Contract, ...]:
    """Of the stage `report`: a verdict on every claim, and a page that needs no network."""

    def verdicts(outs: Outs) -> Iterator[str]:
        found = read_json(outs / "verdicts.json")
        unknown = {claim: word for claim, word in found.items() if word not in VERDICTS}
        if unknown or not found:
            yield f"has verdicts that are none: {unknown or 'no claim at all'}"

    def page(outs: Outs) -> Iterator[str]:
        content = (outs / "index.html").read_bytes()
        if len(content) > LARGEST_PAGE:
            yield f"has {len(content)} bytes; allowed: {LARGEST_PAGE}"
        text = content.decode()
        absent = [claim for claim in read_json(outs / "verdicts.json") if claim not in text]
        if absent:
            yield f"says nothing of {', '.join(absent)}"

    return (
        Contract("verdicts.json", verdicts),
        Contract("index.html", page, ("verdicts.json",)),
    )
