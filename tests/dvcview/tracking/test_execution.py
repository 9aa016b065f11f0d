"""Which execution a stage belongs to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

from dvcview.project.lock_copies import newest_copy
from dvcview.tracking.connection import store_lock
from dvcview.tracking.execution import (
    PROCESS,
    RECORD,
    Execution,
    begin_execution,
    project_root,
    read_executions,
    take_over,
    this_execution,
)


def test_the_project_is_where_dvc_says_or_where_dvc_was_initialized(tmp_path, monkeypatch):
    below = tmp_path / "results" / "lenet"
    below.mkdir(parents=True)
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(below)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    assert project_root() == tmp_path
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "elsewhere"))
    assert project_root() == tmp_path / "elsewhere"


def test_a_stage_without_dvc_is_an_execution_of_its_own():
    execution = this_execution()
    assert execution.manual
    assert execution.id.startswith(f"{os.getpid()}-")
    assert 0 < time.time() - execution.created < 24 * 3600  # MLflow shows it as the start
    assert execution.is_running()


def test_a_stage_belongs_to_its_nearest_dvc(tmp_path):
    """A program called dvc that starts a stage, as the real one does."""
    dvc = tmp_path / "dvc"
    script = (
        "from dvcview.tracking.execution import this_execution as e; "
        "print(e().id.partition('-')[0], e().command, e().manual)"
    )
    dvc.write_text(
        f"import os, subprocess\nprint(os.getpid(), flush=True)\n"
        f"subprocess.run([{sys.executable!r}, '-c', {script!r}])\n"
    )
    said = subprocess.run(
        [sys.executable, str(dvc), "repro", "lenet"], capture_output=True, text=True, check=True
    ).stdout.split("\n")
    assert said[1] == f"{said[0]} dvc repro lenet False"


def test_an_experiment_gives_its_name(monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "brief")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "a" * 40)
    execution = this_execution()
    assert execution.experiment == "brief"
    assert execution.baseline == "a" * 40


def test_an_execution_is_listed_until_its_folder_is_deleted(tmp_path):
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    execution = Execution("1-a-2.50", 2.5, "dvc repro", str(tmp_path), None, None, None)
    folder = begin_execution(execution, tmp_path)
    assert begin_execution(execution, tmp_path) == folder
    assert newest_copy(tmp_path) == (tmp_path / "dvc.lock").read_bytes()
    assert read_executions(tmp_path) == [execution]
    gone = folder.parent / "delivered in this moment"
    gone.mkdir()
    (gone / RECORD).symlink_to("nothing")  # it is listed, and not there
    assert read_executions(tmp_path) == [execution]
    assert not execution.is_running()


def test_a_recorder_is_not_killed_while_it_creates_the_store(tmp_path):
    """A database whose tables are half created cannot be opened again."""
    folder = Execution("1-a-2.50", 2.5, "dvc repro", str(tmp_path), None, None, None).folder(
        tmp_path
    )
    folder.mkdir(parents=True)
    program = (
        "import sys, time\nfrom filelock import FileLock\n"
        "with FileLock(sys.argv[1]): print('holds it', flush=True); time.sleep(600)"
    )
    lock = str(folder / "recorder.lock")
    recorder = subprocess.Popen([sys.executable, "-c", program, lock], stdout=subprocess.PIPE)
    assert recorder.stdout is not None
    with recorder.stdout:
        recorder.stdout.readline()
    (folder / PROCESS).write_text(str(recorder.pid))
    taking = threading.Thread(target=take_over, args=(folder, 0))
    with store_lock(tmp_path):
        taking.start()
        taking.join(1)
        assert recorder.poll() is None
    taking.join(30)
    assert recorder.wait(30) == -signal.SIGKILL
