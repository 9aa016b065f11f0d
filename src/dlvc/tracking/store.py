"""Where the MLflow store is, and that it is there before anybody writes to it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

TRACKING_URI = "MLFLOW_TRACKING_URI"

# A dead server blocks a call for four minutes with MLflow's own settings.
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
}


def project_root() -> Path:
    """The folder of dvc.yaml: DVC names it to its stages; otherwise from here upwards."""
    named = os.environ.get("DVC_ROOT")
    if named:
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").exists():
            return folder
    return here


def tracking_uri(root: Path) -> str:
    """`MLFLOW_TRACKING_URI` if it is set, else SQLite at the project's root."""
    return os.environ.get(TRACKING_URI) or f"sqlite:///{root / 'mlflow.db'}"


@contextmanager
def store_lock(root: Path) -> Iterator[None]:
    """One process at a time: several that create the database at once kill each other."""
    folder = root / ".dlvc"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "tracking.lock", timeout=60):
        yield


def connect(root: Path) -> None:
    """Import MLflow (seconds: never do that under the lock), and point it at the store."""
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    import mlflow

    for chatty in ("mlflow", "alembic"):  # MLflow sets its own level when it is imported
        logging.getLogger(chatty).setLevel(logging.WARNING)
    mlflow.set_tracking_uri(tracking_uri(root))


def experiment_id(root: Path, name: str, description: str) -> str:
    """The id of the experiment of that name, made if it is missing. Call under the lock."""
    import mlflow

    found = mlflow.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    # A local store's artifacts would land in the folder of whoever comes first.
    local = tracking_uri(root).startswith("sqlite:")
    return str(
        mlflow.create_experiment(
            name,
            artifact_location=(root / "mlruns").as_uri() if local else None,
            tags={"mlflow.note.content": description},
        )
    )
