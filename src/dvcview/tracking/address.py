"""Where the MLflow store is, and whether somebody is there: asked without importing MLflow."""

from __future__ import annotations

import os
import sqlite3
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from dvcview.errors import redacted

TRACKING_URI = "MLFLOW_TRACKING_URI"
PATIENCE = 2  # seconds that a stage may wait for an answer


def tracking_uri(root: Path) -> str:
    """`MLFLOW_TRACKING_URI` if it is set, else SQLite at the project's root."""
    return os.environ.get(TRACKING_URI) or f"sqlite:///{root.resolve() / 'mlflow.db'}"


def sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite store.

    >>> sqlite_file("sqlite:////project/mlflow.db").as_posix()
    '/project/mlflow.db'
    """
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def unreachable(uri: str) -> str | None:
    """Why the store cannot be written to at this moment; None when it can, or when only MLflow
    itself could tell. Answers within `PATIENCE` seconds."""
    file = sqlite_file(uri)
    if file is not None:
        return _locked(file)
    if uri.startswith(("http://", "https://")):
        return _silent(uri)
    return None


def _locked(file: Path) -> str | None:
    if not file.exists():
        return None if os.access(file.parent, os.W_OK) else f"{file.parent} cannot be written to"
    try:
        store = sqlite3.connect(f"file:{file}?mode=rw", uri=True, timeout=PATIENCE)
        try:
            store.execute("BEGIN IMMEDIATE")
            store.rollback()
        finally:
            store.close()
    except sqlite3.Error as error:
        return f"{file.name}: {error}"
    return None


def _silent(uri: str) -> str | None:
    parts = urllib.parse.urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    health = f"{parts.scheme}://{host}{parts.path.rstrip('/')}/health"
    try:
        with urllib.request.urlopen(health, timeout=PATIENCE):  # noqa: S310  # http or https
            return None
    except urllib.error.HTTPError:  # somebody is there, and wants a password perhaps
        return None
    except (OSError, ValueError) as error:
        return f"{redacted(uri)}: {getattr(error, 'reason', error)}"
