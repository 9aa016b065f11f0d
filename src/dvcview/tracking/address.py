"""The address of the MLflow store, and whether it can be reached, without importing MLflow."""

from __future__ import annotations

import os
import socket
import sqlite3
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from dvcview.errors import redacted

TRACKING_URI = "MLFLOW_TRACKING_URI"
PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
TIMEOUT = 2  # seconds that a stage waits for an answer


def tracking_uri(root: Path) -> str:
    """`MLFLOW_TRACKING_URI` if it is set, else a SQLite file in the project's folder.

    The path of a SQLite file may be relative to the project's folder.
    """
    uri = os.environ.get(TRACKING_URI) or "sqlite:///mlflow.db"
    file = sqlite_file(uri)
    return uri if file is None else f"sqlite:///{root.resolve() / file}"


def sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite store; None for any other store.

    >>> sqlite_file("sqlite:////project/mlflow.db").as_posix()
    '/project/mlflow.db'
    """
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def unreachable(uri: str) -> str | None:
    """Why the store cannot be written to now; None if it can, or if only MLflow could find out.

    Returns within `TIMEOUT` seconds.
    """
    file = sqlite_file(uri)
    if file is not None:
        return _sqlite_problem(file)
    if uri.startswith(("http://", "https://")):
        return _http_problem(uri)
    return _database_problem(uri)


def _sqlite_problem(file: Path) -> str | None:
    if not file.exists():
        try:
            with tempfile.TemporaryFile(dir=file.parent):
                return None
        except OSError as error:
            return f"{file.parent} cannot be written to ({error.strerror})"
    try:
        store = sqlite3.connect(f"file:{file}?mode=rw", uri=True, timeout=TIMEOUT)
        try:
            store.execute("BEGIN IMMEDIATE")
            store.rollback()
        finally:
            store.close()
    except sqlite3.Error as error:
        return f"{file.name}: {error}"
    return None


def _database_problem(uri: str) -> str | None:
    """MLflow itself tries for two minutes to connect to a database."""
    parts = urllib.parse.urlsplit(uri)
    try:
        port = parts.port or PORTS.get(parts.scheme.partition("+")[0])
        if parts.hostname and port:
            socket.create_connection((parts.hostname, port), TIMEOUT).close()
    except (OSError, ValueError) as error:
        return f"{redacted(uri)}: {error}"
    return None


def _http_problem(uri: str) -> str | None:
    parts = urllib.parse.urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    health = f"{parts.scheme}://{host}{parts.path.rstrip('/')}/health"
    try:
        with urllib.request.urlopen(health, timeout=TIMEOUT):  # noqa: S310  # http or https
            return None
    except urllib.error.HTTPError as error:  # it answers, perhaps that it needs a password
        error.close()
        return None
    except (OSError, ValueError) as error:
        return f"{redacted(uri)}: {getattr(error, 'reason', error)}{_through_proxy(parts)}"


def _through_proxy(parts: urllib.parse.SplitResult) -> str:
    """The proxy that a request to this address takes, as a part of an error message."""
    proxy = urllib.request.getproxies().get(parts.scheme)
    host = parts.hostname or ""
    if not proxy or urllib.request.proxy_bypass(host):
        return ""
    shown = proxy.rpartition("@")[2]  # without a password
    return f" (through the proxy {shown} of {parts.scheme}_proxy; NO_PROXY={host} goes around it)"
