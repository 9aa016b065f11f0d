"""A client in a process of its own: it says what the server has acknowledged, and never gives up.

`python -m tests.pipeline.writer NAME STEPS`, with MLflow's address in the environment. It prints
`run ID`, then `ok STEP` for each metric with its artifact, and `again STEP` for each that failed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

EXPERIMENT = "written over HTTP"
T = TypeVar("T")


def insist(name: object, call: Callable[[], T]) -> T:
    """Call until it succeeds."""
    while True:
        try:
            return call()
        except (MlflowException, OSError):
            print("again", name, flush=True)
            time.sleep(0.2)


def write_step(client: MlflowClient, run_id: str, folder: str, step: int) -> None:
    """One parameter, one metric, one artifact."""
    client.log_param(run_id, f"param_{step}", step)
    client.log_metric(run_id, "square", step**2, timestamp=step, step=step)
    file = Path(folder, f"{step}.txt")
    file.write_text(str(step) * 1000, encoding="utf-8")
    client.log_artifact(run_id, str(file))


def main(name: str, steps: int) -> None:
    """Write `steps` steps into one run of one experiment."""
    client = MlflowClient()
    found = client.get_experiment_by_name(EXPERIMENT)
    assert found is not None
    run = client.create_run(found.experiment_id, run_name=name)
    print("run", run.info.run_id, flush=True)
    with TemporaryDirectory() as folder:
        for step in range(steps):
            insist(step, lambda step=step: write_step(client, run.info.run_id, folder, step))
            print("ok", step, flush=True)
    insist("end", lambda: client.set_terminated(run.info.run_id))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
