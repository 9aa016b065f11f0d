"""Corrects the addresses of artifacts after the project's folder was moved or copied."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from dvcview.console import log
from dvcview.errors import UserError

ARTIFACTS = "mlruns"  # the folder beside the database
TIMEOUT = 60  # seconds to wait for another process that writes
# Where MLflow's store has addresses of artifacts: tables and columns (MLflow 3).
COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def relocate_artifacts(database: Path) -> None:
    """Make the addresses of artifacts point into the folder beside a SQLite store.

    MLflow stores absolute addresses. In a folder that was moved or copied, it would write into the
    old place, and models could not be loaded. An address stays if its files are only there.

    Raises:
        UserError: the file is not a store of MLflow, or cannot be written to.
    """
    try:
        _relocate(database, database.parent / ARTIFACTS)
    except sqlite3.Error as error:
        raise UserError(f"{database}: {error}, so the store of MLflow cannot be used") from None


def _relocate(database: Path, here: Path) -> None:
    with closing(sqlite3.connect(database, timeout=TIMEOUT)) as store:
        if not store.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone():
            return  # MLflow has not created its tables yet
        found = store.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
        old = {_path(uri) for (uri,) in found if uri.startswith("file://")}
        old = {folder for folder in old if folder.name == ARTIFACTS and folder != here}
        if not old:
            return
        with store:  # one transaction
            for folder in old:
                _replace(store, folder, here)
    log(f"the project was moved or copied; MLflow's artifacts are in {here}")


def _replace(store: sqlite3.Connection, old: Path, new: Path) -> None:
    for table, column in COLUMNS:
        for (uri,) in store.execute(f"SELECT DISTINCT {column} FROM {table}").fetchall():  # noqa: S608
            path = _path(uri or "")
            if not path.is_relative_to(old):
                continue
            moved = new / path.relative_to(old)
            if table == "experiments" or moved.exists() or not path.exists():
                # The address of MLflow's experiment 0 is a path, and not a URI.
                address = moved.as_uri() if uri.startswith("file://") else str(moved)
                change = f"UPDATE {table} SET {column} = ? WHERE {column} = ?"  # noqa: S608
                store.execute(change, (address, uri))


def _path(uri: str) -> Path:
    return Path(url2pathname(urlsplit(uri).path))
