"""The MLflow store: reached with little patience, made by one process at a time."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from dvcview.tracking.address import sqlite_file, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOCK_PATIENCE = 120  # seconds
# A dead server blocks a call for four minutes with MLflow's own settings.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
# MLflow's own variables, which `mlflow run` leaves in the environment of everything below it:
# each stage would resume that one run, and the second would fail to change its parameters.
INHERITED = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME")


@contextmanager
def store_lock(root: Path) -> Iterator[None]:
    """One process at a time: several that create the database at once kill each other, and two
    that look for a run before they make it would make two."""
    folder = root / ".dlvc"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "tracking.lock", timeout=LOCK_PATIENCE):
        yield


def connect(root: Path) -> MlflowClient:
    """Import MLflow (seconds: never do that under the lock), and point it at the store."""
    for name in INHERITED:
        os.environ.pop(name, None)
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow

    # MLflow sets its own level when it is imported, and prints what it raises, traceback and all.
    for chatty in ("mlflow", "alembic"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    uri = tracking_uri(root)
    mlflow.set_tracking_uri(uri)
    with store_lock(root):  # the first call creates the database
        client = mlflow.MlflowClient(uri)
        client.get_experiment("0")
    return client


def artifact_location(root: Path) -> str | None:
    """Where a new experiment's files go: beside a SQLite store, else where the server says.

    Left to itself, MLflow takes the folder of whoever comes first, also one that will be deleted.
    """
    file = sqlite_file(tracking_uri(root))
    return (file.parent / "mlruns").as_uri() if file else None
