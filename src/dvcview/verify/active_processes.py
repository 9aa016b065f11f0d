"""The paths that are being written now, which `verify` must not report as damaged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from dvcview.project.dvc_processes import PathInUse, paths_locked_by_dvc
from dvcview.project.lockfile import StageState
from dvcview.tracking.event_log import SUFFIX, EventLogReader
from dvcview.tracking.execution import read_executions


def paths_in_use(root: Path, states: Mapping[str, StageState]) -> set[PathInUse]:
    """The paths that DVC has locked, and the outs of running stages, orphaned ones included."""
    return {*(paths_locked_by_dvc(root) or ()), *_outs_of_running_stages(root, states)}


def _outs_of_running_stages(root: Path, states: Mapping[str, StageState]) -> Iterator[PathInUse]:
    for execution in read_executions(root):
        if Path(execution.workspace) != root:
            continue
        for path in execution.folder(root).glob(f"*{SUFFIX}"):
            event_log = EventLogReader(path)
            with suppress(FileNotFoundError):  # a recorder has just uploaded and deleted it
                event_log.new_events()
            if event_log.begin and not event_log.end and not event_log.writer_is_gone():
                stage = event_log.begin["stage"]
                pid = event_log.begin["process"].partition("-")[0]
                who = f"stage {stage} (process {pid})"
                for out in states[stage].outs if stage in states else ():
                    yield PathInUse(who, out)
