"""Counts the parameters, operations and memory of each model. Writes results/costs/."""

from __future__ import annotations

from pathlib import Path

from dlvc.models.costs import activation_rows, model_costs, size_rows
from dlvc.params.reader import read_params
from dvcview.files.artifacts import write_csv
from dvcview.tracking import stage_run

RESULTS = Path("results/costs")


def main() -> None:
    """Read parameters, count, save."""
    params = read_params()
    settings = params.costs
    with stage_run("costs", RESULTS, params.select("costs")):
        models = [vars(cost) for cost in model_costs(settings.image_size)]
        write_csv(RESULTS / "models.csv", models)
        rows = activation_rows(settings.mlp_batch_size, settings.mlp_batches)
        write_csv(RESULTS / "activations.csv", list(rows))
        write_csv(RESULTS / "sizes.csv", list(size_rows()))
