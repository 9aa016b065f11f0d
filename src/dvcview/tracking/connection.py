"""The connection to the MLflow store: short timeouts, and one process at a time creates it."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from dvcview.project.root import make_state_folder
from dvcview.tracking.address import sqlite_file, tracking_uri
from dvcview.tracking.relocate import ARTIFACTS, relocate_artifacts

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOCK_TIMEOUT = 120  # seconds
# With MLflow's own settings a dead server blocks a call for four minutes.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
# `mlflow run` leaves these in the environment of its descendants. Each stage would resume that one
# run, and the second stage would fail to change its parameters.
INHERITED = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME")


@contextmanager
def store_lock(root: Path) -> Iterator[None]:
    """Hold the lock of the store.

    Several processes that create the database at once fail, and two that look for a run before
    they create it would create two.
    """
    with FileLock(make_state_folder(root) / "store.lock", timeout=LOCK_TIMEOUT):
        yield


def import_mlflow() -> Any:
    """Import MLflow with our settings; it takes seconds."""
    for name in INHERITED:
        os.environ.pop(name, None)
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow

    # On import MLflow sets its own log level, at which it also prints the errors that it raises.
    for chatty in ("mlflow", "alembic"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    return mlflow


def connect(root: Path) -> MlflowClient:
    """Connect to the store. This takes seconds, so do not hold the lock meanwhile."""
    mlflow = import_mlflow()
    uri = tracking_uri(root)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)  # whatever MLFLOW_REGISTRY_URI names
    with store_lock(root):  # the first call creates the database
        client: MlflowClient = mlflow.MlflowClient(uri, registry_uri=uri)
        client.get_experiment("0")
        if file := sqlite_file(uri):
            relocate_artifacts(file)
    return client


def artifact_location(root: Path) -> str | None:
    """The folder for the artifacts of a new experiment; None leaves it to the server.

    By default MLflow uses the working folder of the first process, which may be a temporary one.
    """
    file = sqlite_file(tracking_uri(root))
    return (file.parent / ARTIFACTS).as_uri() if file else None
