"""`dlvc sync`: MLflow shows what dvc.lock and the journals say, whatever happened before."""

from __future__ import annotations

import json
import traceback
from contextlib import suppress
from functools import partial
from pathlib import Path

from filelock import Timeout

from dvcview.errors import UserError, first_line, redacted
from dvcview.files.artifacts import write_bytes, write_json
from dvcview.project.git import head_commit
from dvcview.project.lockfile import Pipeline, experiments
from dvcview.tracking.address import sqlite_file, tracking_uri, unreachable
from dvcview.tracking.execution import (
    Execution,
    is_another_executions,
    read_executions,
    recorder_lock,
    remember_lock,
    this_process,
)
from dvcview.tracking.states import Report

SYNCED = Path(".dlvc/synced.json")
TROUBLE = Path(".dlvc/sync.log")
RECORDER_PATIENCE = 120  # seconds for the recorder of an execution that has ended


def sync(root: Path) -> str:
    """Deliver what is left over, build the runs that are missing; a line on what was done.

    Raises `UserError` when MLflow cannot be reached, or files of the workspace's state are nowhere.
    """
    uri = tracking_uri(root)
    reason = unreachable(uri)
    if reason:
        raise UserError(f"MLflow is not available ({reason}); nothing is lost, try again later")
    _wait_for_recorders(root)
    before = _stamp(root, uri)
    if before is not None and _last_stamp(root) == before:
        return "MLflow shows the state of dvc.lock."
    try:
        report = _sync(root)
    except Exception as error:  # MLflow's, SQLAlchemy's, the operating system's
        trouble = redacted("".join(traceback.format_exception(error)))
        with suppress(UserError):  # the disk may be full
            write_bytes(root / TROUBLE, trouble.encode())
        raise UserError(
            f"MLflow failed ({first_line(error)}); nothing is lost, try again; more is in {TROUBLE}"
        ) from None
    remember_lock(root)
    write_json(root / SYNCED, _stamp(root, uri) or {})
    if report.missing:
        raise UserError(
            f"no run was built for {', '.join(report.missing)}: the files are not on this machine; "
            "`dvc pull` or `make run` brings them"
        )
    built = ", ".join(report.built)
    done = f"built the runs of {built}" if built else "no run was missing"
    return f"MLflow ({redacted(uri)}) shows the state of dvc.lock: {done}."


def _sync(root: Path) -> Report:
    from dvcview.tracking.run_store import View
    from dvcview.tracking.states import sync_states
    from dvcview.tracking.uploader import Delivery

    view = View(root)
    failed: list[Exception] = []
    for execution in _ended(root):
        folder = execution.folder(root)
        try:
            with recorder_lock(folder):
                delivery = Delivery(view, execution, folder)
                delivery.step()
                delivery.finish()
        except Exception as error:  # what cannot be delivered must not keep the rest
            if folder.exists():  # its own recorder has not just delivered it
                failed.append(error)
    view.end_abandoned()

    itself = this_process("dlvc sync", root)
    parents: list[str | None] = []

    def parent() -> str | None:  # only when there is something to build
        if not parents:
            parents.append(view.open_parent(itself))
        return parents[0]

    # What runs at this moment has a recorder of its own.
    running = [execution for execution in read_executions(root) if execution.is_running()]
    busy = {execution.experiment for execution in running}
    quiet = [found for found in experiments(root) if found.name not in busy]
    here = [] if any(Path(e.workspace) == root for e in running) else [Pipeline(root, root, None)]
    undelivered = partial(is_another_executions, root, None)
    report = sync_states(view, [*here, *quiet], parent, undelivered)
    for run_id in filter(None, parents):
        view.sum_up(run_id, {"restored": report.built}, report.runs)
        view.client.set_terminated(run_id, "FINISHED")
    if failed:
        raise failed[0]
    return report


def _ended(root: Path) -> list[Execution]:
    return [execution for execution in read_executions(root) if not execution.is_running()]


def _wait_for_recorders(root: Path) -> None:
    """A recorder whose execution has ended is about to finish by itself."""
    ended = _ended(root)
    if ended:  # MLflow will be needed: it is imported while they work
        import dvcview.tracking.run_store  # noqa: F401
    for execution in ended:
        try:
            with recorder_lock(execution.folder(root)).acquire(timeout=RECORDER_PATIENCE):
                pass
        except (Timeout, FileNotFoundError):
            continue


def _stamp(root: Path, uri: str) -> dict[str, object] | None:
    """What a sync depends on, where it can be told without MLflow: a file's time of change."""
    store = sqlite_file(uri)
    if store is None or not store.exists() or read_executions(root):
        return None
    files = [store, Path(f"{store}-wal"), root / "dvc.lock", root / "lectures.yaml"]
    changed = {file.name: file.stat().st_mtime_ns for file in files if file.exists()}
    refs = sorted(f"{found.name} {found.revision}" for found in experiments(root))
    return {"uri": uri, "changed": changed, "experiments": refs, "head": head_commit(root)}


def _last_stamp(root: Path) -> object:
    try:
        return json.loads((root / SYNCED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
