"""Which runs belong together: those that one `dvc repro` (or one `mlflow run`) started."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from dlvc.tracking.store import experiment_id

EXPERIMENT = "Executions"
DESCRIPTION = (
    "One run for each execution of the pipeline (`dvc repro`, `make run`, `dvc exp run`). "
    "The runs of its stages stand in the experiments of their lectures and name it as parent."
)
PARENT_RUN = "DLVC_PARENT_RUN"
EXECUTION_TAG = "dlvc.execution"


def parent_run_id(root: Path) -> str | None:
    """The MLflow run of the execution that this stage belongs to; None for a stage run by hand.

    `mlflow run` has a run of its own, which our entry point hands on. DVC gives an execution no
    id, so its process (number and time of creation) is one. Call under the store's lock, so that
    two stages do not make two parents.
    """
    handed_on = os.environ.get(PARENT_RUN)
    if handed_on:
        return handed_on
    found = _dvc_process()
    return _find_or_create(root, *found) if found else None


def _dvc_process() -> tuple[str, str] | None:
    """The nearest ancestor that is DVC: an id that no other process has, and its command."""
    for process in psutil.Process().parents():
        try:
            words = process.cmdline()
            execution = f"{process.pid}-{process.create_time():.2f}"
        except psutil.Error:  # not ours to look at, or gone
            continue
        # `dvc repro`, or `python .../bin/dvc repro`, or `python -m dvc repro`
        for position, word in enumerate(words[:4]):
            if Path(word).name == "dvc":
                return execution, " ".join(["dvc", *words[position + 1 :]])
    return None


def _find_or_create(root: Path, execution: str, command: str) -> str:
    import mlflow

    client = mlflow.MlflowClient()
    experiment = experiment_id(root, EXPERIMENT, DESCRIPTION)
    found = client.search_runs(
        [experiment], filter_string=f"tags.`{EXECUTION_TAG}` = '{execution}'", max_results=1
    )
    if found:
        return str(found[0].info.run_id)
    run = client.create_run(experiment, run_name=command[:200], tags={EXECUTION_TAG: execution})
    # DVC tells nobody when it ends: an open parent would be RUNNING for ever.
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)
