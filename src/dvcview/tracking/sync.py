"""Sync: make MLflow show the state of dvc.lock and of all event logs, whatever happened before."""

from __future__ import annotations

import json
import os
import time
import traceback
from contextlib import suppress
from pathlib import Path

from dvcview.errors import UserError, first_line, redacted
from dvcview.files.artifacts import write_bytes, write_json
from dvcview.project.config import CONFIG_FILE, read_config
from dvcview.project.git import git, head_commit
from dvcview.project.lock_copies import keep_copy
from dvcview.project.lockfile import Pipeline, experiments
from dvcview.tracking.address import sqlite_file, tracking_uri, unreachable
from dvcview.tracking.connection import import_mlflow
from dvcview.tracking.execution import (
    PARENT_RUN,
    Execution,
    pending_stages,
    read_executions,
    recorder_lock,
    take_over,
)
from dvcview.tracking.run_store import RunStore
from dvcview.tracking.sync_states import Report, sync_states
from dvcview.tracking.uploader import Uploader

SYNCED = Path(".dvcview/synced.json")
ERROR_LOG = Path(".dvcview/sync.log")
RECORDER_TIMEOUT = 10  # seconds for the recorder of an execution that has ended


def sync(root: Path, *, is_partial: bool = False) -> str:
    """Upload what is left, build the missing runs, and return a line about it.

    After a run of some of the stages (`is_partial`), the others may lack files.

    Raises:
        UserError: MLflow cannot be reached, or files of the workspace's state are missing.
    """
    uri = tracking_uri(root)
    reason = unreachable(uri)
    if reason:
        raise UserError(f"MLflow is not available ({reason}); nothing is lost, try again later")
    _wait_for_recorders(root)
    before = _stamp(root, uri)
    if before is not None and _last_stamp(root) == before:
        return "MLflow shows the state of dvc.lock."
    workspace = Pipeline(root, root, None)
    if not (read_executions(root) or experiments(root) or workspace.states()):
        raise UserError(f"there is no dvc.lock with a stage in {root}; `dvc repro` creates it")
    try:
        report = _sync_or_try_again(root, workspace)
    except UserError:
        raise
    except Exception as error:  # of MLflow, SQLAlchemy, or the operating system
        trace = redacted("".join(traceback.format_exception(error)))
        with suppress(UserError):  # the disk may be full
            write_bytes(root / ERROR_LOG, trace.encode())
        raise UserError(
            f"MLflow failed ({first_line(error)}); nothing is lost, try again; details are in "
            f"{ERROR_LOG}"
        ) from None
    keep_copy(root)
    if report.missing and not is_partial:
        raise UserError(
            f"no run was built for {', '.join(report.missing)}: the files are not on this machine; "
            "`dvc pull` or `dvc repro` brings them"
        )
    write_json(root / SYNCED, (_stamp(root, uri) if report.is_complete else None) or {})
    built = ", ".join(report.built)
    done = f"built the runs of {built}" if built else "no run was missing"
    shown = "the stages whose files are here" if report.missing else "the state of dvc.lock"
    return f"MLflow ({redacted(uri)}) shows {shown}: {done}."


def _sync_or_try_again(root: Path, workspace: Pipeline) -> Report:
    """As `_sync`, with a second attempt.

    MLflow fails if another client has just inserted a row, and if it inserts a row twice because a
    server was killed before it answered.
    """
    try:
        return _sync(root, workspace)
    except UserError:
        raise
    except Exception:
        time.sleep(1)
    return _sync(root, workspace)


def _sync(root: Path, workspace: Pipeline) -> Report:
    run_store = RunStore(root)
    failed: list[Exception] = []
    for execution in _ended(root):
        folder = execution.folder(root)
        try:
            with recorder_lock(folder):
                uploader = Uploader(run_store, execution, folder)
                uploader.step()
                uploader.finish()
        except Exception as error:  # one execution that fails must not stop the others
            if folder.exists():  # otherwise its own recorder has just uploaded it
                failed.append(error)
    run_store.end_abandoned()

    # Running executions have a recorder of their own.
    running = [execution for execution in read_executions(root) if execution.is_running()]
    busy = {execution.experiment for execution in running}
    quiet = [found for found in experiments(root) if found.name not in busy]
    here = [] if any(Path(e.workspace) == root for e in running) else [workspace]
    named = os.environ.get(PARENT_RUN)
    parent = named if run_store.has_run(named) else None
    report = sync_states(run_store, [*here, *quiet], parent, pending_stages(root))
    if parent and report.built:
        run_store.log_summary(parent, {"restored": report.built}, report.runs)
    if failed:
        raise failed[0]
    return report


def _ended(root: Path) -> list[Execution]:
    return [execution for execution in read_executions(root) if not execution.is_running()]


def _wait_for_recorders(root: Path) -> None:
    """Wait for the recorders of executions that have ended, or take their work over."""
    ended = _ended(root)
    if ended:  # MLflow will be needed: import it while the recorders finish
        import_mlflow()
    for execution in ended:
        take_over(execution.folder(root), RECORDER_TIMEOUT)


def _stamp(root: Path, uri: str) -> dict[str, object] | None:
    """Everything that a sync depends on; None if this cannot be known without MLflow."""
    store = sqlite_file(uri)
    if store is None or not store.exists() or read_executions(root):
        return None
    names = git(
        root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--",
        "dvc.yaml", "dvc.lock", "*/dvc.yaml", "*/dvc.lock",
    ).split("\0")  # fmt: skip
    if not any(names):  # without git only DVC knows its files
        return None
    shown = {*names, CONFIG_FILE, read_config(root).experiments} - {""}
    files = [store, Path(f"{store}-wal"), *(root / name for name in sorted(shown))]
    changed = {str(file): file.stat().st_mtime_ns for file in files if file.exists()}
    refs = sorted(f"{found.name} {found.revision}" for found in experiments(root))
    return {"uri": uri, "changed": changed, "experiments": refs, "head": head_commit(root)}


def _last_stamp(root: Path) -> object:
    try:
        return json.loads((root / SYNCED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
