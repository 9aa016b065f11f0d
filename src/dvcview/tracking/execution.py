"""Executions: the stages that one `dvc repro`, `dvc exp run` or `mlflow run` has started.

DVC gives an execution no id, so the number and creation time of its process identify it. Each
execution has a folder, `.dvcview/executions/<id>/`, with its description and the event logs of its
stages. The folder is deleted once everything in it is uploaded.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from dvcview.errors import redacted
from dvcview.files.artifacts import write_json
from dvcview.project.dvc_processes import parent_dvc_process
from dvcview.project.lock_copies import keep_copy
from dvcview.project.root import make_state_folder, root_of
from dvcview.tracking.connection import store_lock
from dvcview.tracking.event_log import SUFFIX, EventLogReader, identity_of, is_alive

PARENT_RUN = "DVCVIEW_PARENT_RUN"  # the run of `mlflow run`
EXECUTIONS = Path(".dvcview/executions")
RECORD = "execution.json"
PROCESS = "recorder.pid"
FAILED = "failed"  # contains the reason why the recorder cannot upload at the moment
WARNED = "warned"  # exists once a stage has warned the user


@dataclass(frozen=True)
class Execution:
    """One execution of the pipeline."""

    id: str  # of its process, unique on this machine
    created: float  # when the process was created, in seconds since 1970
    command: str
    workspace: str  # the folder of its dvc.lock; not the project's under `dvc exp run --temp`
    experiment: str | None  # DVC's name of the experiment, under `dvc exp run`
    baseline: str | None  # the commit that the experiment started from
    parent_run: str | None  # the run of `mlflow run`
    manual: bool = False  # the stage was started without DVC

    def folder(self, root: Path) -> Path:
        """The folder of its event logs."""
        return root / EXECUTIONS / self.id

    def is_running(self) -> bool:
        """Whether its process is running."""
        return is_alive(self.id)


def project_root() -> Path:
    """The project's folder: the one that DVC names, or this folder or one above it."""
    named = os.environ.get("DVC_ROOT")
    return Path(named) if named else root_of(Path.cwd()) or Path.cwd()


def this_execution() -> Execution:
    """The execution that the stage in this process belongs to."""
    process, command = parent_dvc_process() or (psutil.Process(), None)
    experiment = os.environ.get("DVC_EXP_NAME")
    if command and experiment:
        command = f"dvc exp run: {experiment}"
    return Execution(
        id=identity_of(process),
        created=process.create_time(),
        command=redacted(command or " ".join(["python", *sys.argv])),
        workspace=str(root_of(Path.cwd()) or Path.cwd()),
        experiment=experiment,
        baseline=os.environ.get("DVC_EXP_BASELINE_REV"),
        parent_run=os.environ.get(PARENT_RUN),
        manual=command is None,
    )


def begin_execution(execution: Execution, root: Path) -> Path:
    """The folder of an execution. Its first stage creates it."""
    folder = execution.folder(root)
    make_state_folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / RECORD).exists():
        write_json(folder / RECORD, asdict(execution))
    if Path(execution.workspace) == root:
        keep_copy(root)
    return folder


def read_executions(root: Path) -> list[Execution]:
    """The executions that have something to upload, oldest first."""
    found = []
    for record in (root / EXECUTIONS).glob(f"*/{RECORD}"):
        with suppress(FileNotFoundError):  # a recorder has just uploaded and deleted it
            found.append((record.stat().st_mtime, record.read_text()))
    return [Execution(**json.loads(text)) for _, text in sorted(found)]


def pending_stages(root: Path, own: Path | None = None) -> list[dict[str, Any]]:
    """The `begin` events of the stages that executions have to upload, except the one in `own`."""
    pending = []
    for execution in read_executions(root):
        folder = execution.folder(root)
        if folder == own:
            continue
        for path in folder.glob(f"*{SUFFIX}"):
            event_log = EventLogReader(path)
            with suppress(FileNotFoundError):  # a recorder has just uploaded and deleted it
                event_log.new_events()
            if event_log.begin:
                pending.append(event_log.begin)
    return pending


def recorder_lock(folder: Path) -> FileLock:
    """The lock of the process that uploads the event logs of an execution."""
    return FileLock(folder / "recorder.lock")


def take_over(folder: Path, timeout: float) -> None:
    """Wait for the recorder of an execution; kill it if it still runs after `timeout` seconds.

    It runs at the lowest priority, so on a busy machine it may need minutes. Everything that it has
    sent can be sent again without harm. It is not killed while it holds the lock of the store: a
    database whose tables are half created cannot be opened again.
    """
    try:
        with recorder_lock(folder).acquire(timeout=timeout):
            return
    except FileNotFoundError:  # it has just uploaded and deleted the folder
        return
    except Timeout:
        try:
            with store_lock(folder.parents[2]):
                _kill_recorder(folder)
        except Timeout:  # it has held that lock for minutes, so it hangs
            _kill_recorder(folder)


def _kill_recorder(folder: Path) -> None:
    with suppress(OSError, ValueError):
        os.kill(int((folder / PROCESS).read_text()), signal.SIGKILL)


def ensure_recorder(folder: Path, execution: Execution) -> None:
    """Start the recorder, unless it is running. It survives Ctrl-C and the end of this stage."""
    lock = recorder_lock(folder)
    try:
        lock.acquire(timeout=0)
        lock.release()
    except Timeout:
        return
    root = folder.parents[2]
    with (folder / "recorder.log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-P", "-m", "dvcview.tracking.recorder", str(folder.resolve())],
            cwd=root,
            env={**os.environ, "PYTHONPATH": _python_path(root, Path(execution.workspace))},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C in the terminal is for the stage. A session of its own would also protect
            # the recorder, but Linux shares the processor between sessions before it looks at
            # their priority.
            process_group=0,
        )


def _python_path(root: Path, workspace: Path) -> str:
    """This process's path for modules, with the workspace's folders replaced by the project's.

    `dvc exp run --temp` deletes its workspace, and the code in it, while the recorder is running.
    """
    folders = [Path(folder).resolve() for folder in sys.path if folder]
    return os.pathsep.join(
        str(root / folder.relative_to(workspace) if folder.is_relative_to(workspace) else folder)
        for folder in folders
        if "site-packages" not in folder.parts
    )
