"""`dlvc which FILE`: from a file of the pipeline to the run that it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dvcview.errors import UserError
from dvcview.files.hashes import md5_of
from dvcview.project.lockfile import Pipeline, StageState
from dvcview.tracking.run_store import STATE
from dvcview.tracking.store import connect

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def which_run(root: Path, file: Path) -> str:
    """What there is to know of the run of a file that dvc.lock has, or of one in such a folder."""
    pipeline = Pipeline(root, root, None)
    state, out = _state_of(root, file, pipeline)
    if md5_of(root / out) != state.outs[out]:
        raise UserError(f"{file} is not as dvc.lock has it; `dvc checkout {out}` brings it back")
    client = connect(root)
    run = run_of(client, state)
    if run is None:
        raise UserError(f"MLflow has no run of {file} yet; `dlvc sync` builds it")
    experiment = client.get_experiment(run.info.experiment_id).name
    lines = {
        "file": f"{out} (md5 {state.outs[out]})",
        "stage": state.stage,
        "run": f"{run.info.run_id} ({run.info.run_name}, in {experiment})",
        "commit": run.data.tags.get("dvc.commit", "not committed yet"),
        "files again": run.data.tags["dvc.restore"],
    }
    return "\n".join(f"{name + ':':13}{value}" for name, value in lines.items())


def run_of(client: MlflowClient, state: StageState) -> Run | None:
    """The run that stands for a state; None where it has not been recorded yet."""
    experiments = [found.experiment_id for found in client.search_experiments()]
    runs = client.search_runs(experiments, f"tags.`{STATE}` = '{state.digest}'", max_results=1)
    return runs[0] if runs else None


def _state_of(root: Path, file: Path, pipeline: Pipeline) -> tuple[StageState, str]:
    """The stage that a file is from, and the out that it is or is in."""
    try:
        path = file.resolve().relative_to(root.resolve())
    except ValueError:
        raise UserError(f"{file} is not in this project") from None
    for state in pipeline.states().values():
        for out in state.outs:
            if path == Path(out) or Path(out) in path.parents:
                return state, out
    raise UserError(
        f"{file} is no out of any stage in dvc.lock; `dvc ls . -R --dvc-only` lists them"
    )
