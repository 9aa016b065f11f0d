"""Which runs belong together: those that one `dvc repro`, `dvc exp run` or `mlflow run` started.

DVC gives an execution no id, so its process (number and time of creation) is one. An execution has
a folder, `.dlvc/executions/<id>/`: who it is, the journals of its stages, the dvc.lock it began
with. The folder goes when everything in it has been delivered.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from dvcview.errors import redacted
from dvcview.files.artifacts import write_bytes, write_json
from dvcview.project.git import git_bytes
from dvcview.project.lockfile import StageState
from dvcview.run.stage_process import dvc_process
from dvcview.tracking.event_log import SUFFIX, JournalReader, is_alive, now

PARENT_RUN = "DLVC_PARENT_RUN"  # the run of `mlflow run`, which our entry point hands on
EXECUTIONS = Path(".dlvc/executions")
RECORD = "execution.json"
LOCK_BEFORE = "dvc.lock.before"
LOCK_KNOWN = Path(".dlvc/dvc.lock.known")
LOCKS = Path(".dlvc/locks")
FAILED = "failed"  # why the recorder cannot deliver at the moment
SAID = "said"  # that somebody has told the user so


@dataclass(frozen=True)
class Execution:
    """One execution of the pipeline: its process, and where it works."""

    pid: int
    created: float
    command: str
    workspace: str  # the folder of its dvc.lock; under `dvc exp run --temp` not the project's
    experiment: str | None  # DVC's name for it, under `dvc exp run`
    baseline: str | None  # the commit that the experiment began from
    parent_run: str | None  # of `mlflow run`
    by_hand: bool = False  # a stage started without DVC

    @property
    def id(self) -> str:
        """Unlike any other execution's on this machine."""
        return f"{self.pid}-{self.created:.2f}"

    def folder(self, root: Path) -> Path:
        """Where its journals are."""
        return root / EXECUTIONS / self.id

    def is_running(self) -> bool:
        """Whether its process is still there."""
        return is_alive(self.pid, self.created)


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


def this_execution() -> Execution:
    """The execution that the stage in this process belongs to."""
    process, command = dvc_process() or (psutil.Process(), None)
    experiment = os.environ.get("DVC_EXP_NAME")
    if command and experiment:
        command = f"dvc exp run: {experiment}"
    return Execution(
        pid=process.pid,
        created=process.create_time(),
        command=redacted(command or " ".join(["python", *sys.argv])),
        workspace=str(Path.cwd()),
        experiment=experiment,
        baseline=os.environ.get("DVC_EXP_BASELINE_REV"),
        parent_run=os.environ.get(PARENT_RUN),
        by_hand=command is None,
    )


def this_process(command: str, workspace: Path) -> Execution:
    """An execution of its own, without DVC."""
    process = psutil.Process()
    return Execution(
        process.pid, process.create_time(), command, str(workspace), None, None,
        os.environ.get(PARENT_RUN),
    )  # fmt: skip


def begin_execution(execution: Execution, root: Path) -> Path:
    """Its folder; the first of its stages makes it, and keeps the dvc.lock that it began with."""
    folder = execution.folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / RECORD).exists():
        write_bytes(folder / LOCK_BEFORE, _lock_before(execution, root))
        write_json(folder / RECORD, asdict(execution))
    _keep_lock(execution, root)
    return folder


def _keep_lock(execution: Execution, root: Path) -> None:
    """Keep dvc.lock as the last stage left it: another execution may soon write over its entry,
    before the recorder of that stage has seen it."""
    lock = root / "dvc.lock"
    if Path(execution.workspace) == root and lock.exists():
        write_bytes(root / LOCKS / f"{now()}.lock", lock.read_bytes())


def locks_after(root: Path, time: int) -> list[str]:
    """The texts of dvc.lock as the stages that began after that time found it, oldest first."""
    kept = sorted((root / LOCKS).glob("*.lock"), key=lambda file: int(file.stem))
    return [file.read_text(encoding="utf-8") for file in kept if int(file.stem) >= time]


def forget_locks(root: Path) -> None:
    """When nothing is left to deliver."""
    if not read_executions(root):
        shutil.rmtree(root / LOCKS, ignore_errors=True)


def remember_lock(root: Path) -> None:
    """Keep the dvc.lock of the project as the one that the next execution begins with."""
    lock = root / "dvc.lock"
    if lock.exists():
        write_bytes(root / LOCK_KNOWN, lock.read_bytes())


def _lock_before(execution: Execution, root: Path) -> bytes:
    """Not simply dvc.lock: when the first stage runs, DVC may have restored others already."""
    workspace = Path(execution.workspace)
    if workspace != root:
        return git_bytes(root, "show", f"{execution.baseline}:dvc.lock") or b""
    for lock in (root / LOCK_KNOWN, root / "dvc.lock"):
        if lock.exists():
            return lock.read_bytes()
    return b""


def read_executions(root: Path) -> list[Execution]:
    """Those that have something to deliver, oldest first."""
    found = []
    for record in (root / EXECUTIONS).glob(f"*/{RECORD}"):
        with suppress(FileNotFoundError):  # a recorder has just delivered it
            found.append((record.stat().st_mtime, record.read_text()))
    return [Execution(**json.loads(text)) for _, text in sorted(found)]


def is_another_executions(root: Path, own: Path | None, state: StageState) -> bool:
    """Whether another execution than that in the folder `own` has still to deliver this state: a
    stage of its name with its parameters."""
    for execution in read_executions(root):
        folder = execution.folder(root)
        if folder == own:
            continue
        for path in folder.glob(f"{state.stage}-*{SUFFIX}"):
            journal = JournalReader(path)
            with suppress(FileNotFoundError):  # a recorder has just delivered it
                journal.new_events()
            given = journal.begin.get("params", {})
            if journal.begin and all(given.get(k, v) == v for k, v in state.params.items()):
                return True
    return False


def recorder_lock(folder: Path) -> FileLock:
    """Held by whoever delivers the journals of an execution."""
    return FileLock(folder / "recorder.lock")


def ensure_recorder(folder: Path) -> None:
    """Start the process that delivers, unless one is at work. It outlives Ctrl-C and this stage."""
    lock = recorder_lock(folder)
    try:
        lock.acquire(timeout=0)
        lock.release()
    except Timeout:
        return
    with (folder / "recorder.log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "dvcview.tracking.recorder", str(folder.resolve())],
            # Not in the working folder, which `dvc exp run --temp` deletes: code is read from it.
            cwd=folder.parents[2],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C in the terminal is for the stage. A session of its own would be safe from it,
            # too, but Linux shares the processor between sessions first, however nice one is.
            process_group=0,
        )
