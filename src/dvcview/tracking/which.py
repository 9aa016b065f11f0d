"""Which run a file of the pipeline comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dvcview.errors import UserError
from dvcview.files.checksum import md5_of
from dvcview.project.lockfile import Pipeline, StageState
from dvcview.tracking.connection import connect
from dvcview.tracking.tags import STATE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def which_run(root: Path, file: Path) -> str:
    """A description of the run that produced an out, or a file in an out."""
    pipeline = Pipeline(root, root, None)
    state, out = _state_of(root, file, pipeline)
    if md5_of(root / out) != state.outs[out]:
        raise UserError(f"{file} differs from dvc.lock; `dvc checkout {out}` restores it")
    client = connect(root)
    run = run_of(client, state)
    if run is None:
        raise UserError(f"MLflow has no run of {file} yet; `dvcview sync` builds it")
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
    """The canonical run of a state; None if it has not been recorded yet."""
    experiments = [found.experiment_id for found in client.search_experiments()]
    runs = client.search_runs(experiments, f"tags.`{STATE}` = '{state.digest}'", max_results=1)
    return runs[0] if runs else None


def _state_of(root: Path, file: Path, pipeline: Pipeline) -> tuple[StageState, str]:
    """The state that a file belongs to, and the out that it is or is in."""
    try:
        path = file.resolve().relative_to(root.resolve())
    except ValueError:
        raise UserError(f"{file} is not in this project") from None
    for state in pipeline.states().values():
        for out in state.outs:
            if path == Path(out) or Path(out) in path.parents:
                return state, out
    raise UserError(
        f"{file} is not an out of any stage in dvc.lock; `dvc ls . -R --dvc-only` lists them"
    )
