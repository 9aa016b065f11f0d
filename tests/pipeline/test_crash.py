"""A run that is cut off: the next one brings the pipeline to where an undisturbed one would be."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from dvc.lock import DEFAULT_TIMEOUT
from zc.lockfile import LockFile

from tests.imports import ROOT
from tests.pipeline.project import SMALL
from tests.stress.kills import disturb
from tests.stress.undisturbed import differences, with_new, words_of

EPOCHS = 800
LONG = {"perceptron.epochs": EPOCHS}  # from two seeds


def is_the_stage(process, name="perceptron"):
    return words_of(process)[1:] == ["src/stage.py", name]


def stages(project):
    return project.processes("src/stage.py")


def dvcs(project):
    return [p for p in project.processes() if any(w.endswith("/dvc") for w in words_of(p)[:3])
            or words_of(p)[1:4] == ["-P", "-m", "dvcview.run.progress"]]  # fmt: skip


@pytest.fixture
def training(done):
    """`dlvc run`, in the middle of a training; and the project."""
    done.set(LONG)
    process = done.start("dlvc", "run", "perceptron")
    done.wait_for(lambda: process.text().count("\nepoch ") > 100)
    yield done, process
    done.kill()
    process.said()


def assert_as_undisturbed(project):
    whole = project.duplicate(project.root.with_name("whole"))
    whole.call("dvc", "repro", "--force", "--single-item", "perceptron")
    assert whole.read("dvc.lock") == project.read("dvc.lock")


def epochs_said(text):
    return text.count("\nepoch ")


@pytest.mark.full
def test_kills_at_random_moments_leave_the_bytes_of_an_undisturbed_run(course, tmp_path):
    """`make kills N=100` does it a hundred times; docs/reliability.md has what came of it."""
    stages = ("lenet", "features", "perceptron")
    hits: list[str] = []
    for run in disturb(course, kills=3, seed=5, scratch=tmp_path, stages=stages):
        print(run)
        assert not run.wrong, run
        hits += [kill for kill in run.kills if "was not there" not in kill]
    assert hits


@pytest.mark.full
@pytest.mark.parametrize("how", ["the terminal", "SIGINT", "SIGTERM"])
def test_a_run_that_is_interrupted_stops_at_once_and_goes_on_from_there(training, how):
    project, run = training
    if how == "the terminal":
        os.killpg(run.pid, signal.SIGINT)
    else:
        run.send_signal(getattr(signal, how) if how != "SIGINT" else signal.SIGINT)
    before = epochs_said(run.text())
    project.wait_for(lambda: not stages(project))
    assert run.wait(600) == (143 if how == "SIGTERM" else 130)
    assert epochs_said(run.text()) - before < EPOCHS / 2  # at once, and not at its end
    said = without_words_of_dvc(run.text())
    assert "Traceback" not in said
    assert "stopped after epoch" in said or "stopped in epoch" in said
    assert "the same command resumes there" in said

    if how == "the terminal":
        again = project.call("dlvc", "run", "perceptron")
        assert "resumes " in again.stderr
        assert_as_undisturbed(project)


@pytest.mark.full
def test_a_run_that_a_script_has_put_into_the_background_can_be_ended_as_well(done):
    """A shell that is no terminal has what it starts with & ignore Ctrl-C."""
    done.set(LONG)
    run = done.start("sh", "-c", "trap '' INT; exec dlvc run perceptron")
    done.wait_for(lambda: run.text().count("\nepoch ") > 100)
    run.send_signal(signal.SIGTERM)
    done.wait_for(lambda: not stages(done))
    assert run.wait(600) == 143
    assert "the same command resumes there" in run.text()
    # A recorder may be left, and for a moment what it asks git.
    done.wait_for(lambda: all("dvcview.tracking.recorder" in words_of(p) for p in done.processes()))


def without_words_of_dvc(said: str) -> str:
    """Ctrl-C in a terminal reaches DVC twice: from the terminal, and handed on by `dlvc run`. When
    the second comes while its interpreter ends, Python says so, with a traceback, and goes on."""
    ignored = r"Exception ignored in: <module 'threading'.*?KeyboardInterrupt:? ?\n"
    return re.sub(ignored, "", said, flags=re.DOTALL)


def test_the_orphan_of_a_killed_dvc_stops_and_its_successor_goes_on(training):
    project, run = training
    (stage,) = stages(project)
    (dvc,) = dvcs(project)
    dvc.kill()
    again = project.start("dlvc", "run", "perceptron")
    stage.wait(600)
    assert epochs_said(run.text()) < EPOCHS  # long before its end
    said = again.said()
    assert again.returncode == 0, said
    assert "resumes " in said
    assert said.count("] perceptron\n") == 1
    assert (
        project.dvc("status", "perceptron").stdout.strip() == "Data and pipelines are up to date."
    )
    assert_as_undisturbed(project)


@pytest.mark.full
def test_a_stage_whose_dvc_is_gone_before_it_could_look_stops(done):
    """Started by DVC, it says; but no process above it is one, and the one above is init."""
    script = (
        "import subprocess, sys\nsubprocess.Popen([sys.executable, 'src/stage.py', 'perceptron'])\n"
    )
    before = done.read("results/perceptron/metrics.json")
    done.call("python", "-c", script, DVC_STAGE="perceptron")
    done.wait_for(lambda: not stages(done))
    assert done.read("results/perceptron/metrics.json") == before


@pytest.mark.full
def test_two_runs_at_once_take_turns(course, tmp_path):
    project = with_new(course, "perceptron", tmp_path / "twice")
    both = [project.start("dlvc", "run") for _ in range(2)]
    said = [run.said() for run in both]
    assert [run.returncode for run in both] == [0, 0], said
    assert sum("another run is active" in text for text in said) == 1
    assert sum("] perceptron\n" in text for text in said) == 1
    assert differences(course, project) == []


@pytest.mark.full
def test_a_run_waits_for_an_experiment_in_the_same_folder(done):
    done.set(LONG)
    first = done.start("dvc", "exp", "run", "--name", "long", "perceptron")
    done.wait_for(lambda: epochs_said(first.text()) > 100)
    second = done.start("dlvc", "run", "perceptron")
    done.wait_for(lambda: "another DVC is active here" in second.text())
    assert "Traceback" not in first.said()
    assert first.returncode == 0
    assert second.wait(300) == 0
    assert "Data and pipelines are up to date." in second.text()


@pytest.mark.full
def test_a_stage_that_ends_while_another_dvc_reads_is_not_lost(done):
    """Such as `dvc push`: DVC alone gives up after three seconds."""
    done.set({"perceptron.epochs": 1000})
    before = done.read("dvc.lock")
    run = done.start("dlvc", "run", "perceptron")
    done.wait_for(lambda: epochs_said(run.text()) > 0)
    reader = LockFile(str(done.root / ".dvc/tmp/lock"))  # free while a stage runs
    done.wait_for(lambda: not stages(done))
    time.sleep(2 * DEFAULT_TIMEOUT)
    reader.close()
    assert "failed" not in run.said()
    assert run.returncode == 0
    assert done.read("dvc.lock") != before


@pytest.mark.full
def test_a_parameter_that_changes_while_its_stage_runs_is_not_recorded_as_its_own(training):
    """DVC writes down what params.yaml holds *after* the stage: the hole is closed by the stage."""
    project, run = training
    lock = project.read("dvc.lock")
    project.set({"perceptron.learning_rate": 5})
    said = run.said()
    assert run.returncode != 0
    assert "error: perceptron.learning_rate has changed while perceptron was running" in said
    assert "Traceback" not in said
    assert project.read("dvc.lock") == lock
    project.set({"perceptron.learning_rate": 10, "lenet.epochs": 9})
    project.call("dlvc", "run", "perceptron")  # from the checkpoint, which is of this very state
    assert project.read("dvc.lock") != lock


@pytest.mark.full
def test_outs_that_were_lost_come_back_from_the_cache_and_from_git(done):
    """What `dlvc run` does with what a failed or killed stage has left."""
    done.commit("the course has run")
    lock = done.read("dvc.lock")
    for name in ("weights.safetensors", "metrics.json", "confusion.csv"):
        (done.root / "results/lenet" / name).unlink()
    (done.root / "results/lenet/.curves.csv.partial").write_text("half")
    done.call("dlvc", "run")
    assert done.read("dvc.lock") == lock
    (done.root / "results/lenet/.curves.csv.partial").unlink()
    assert done.call("git", "status", "--porcelain").stdout == ""


def small_disk(*words):
    """A command with mounts of its own."""
    private = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    tried = subprocess.run(
        [*private, "mount", "-t", "tmpfs", "none", "/mnt"], check=False, capture_output=True
    )
    if tried.returncode:
        pytest.skip("this system lets nobody mount a file system of his own")
    return subprocess.run(
        [*private, sys.executable, "-c", *words], check=False, capture_output=True, text=True,
        cwd=ROOT, env={**os.environ, "PYTHONPATH": "src"}, timeout=900,
    )  # fmt: skip


FULL = """
import sys
from pathlib import Path
from tests.stress.disk import fill
from tests.pipeline.project import Project
for run in fill(Project(Path(sys.argv[1])), runs=2, seed=2, disk=Path(sys.argv[2])):
    print(run)
    assert not run.wrong, run.wrong
"""


@pytest.mark.full
def test_a_disk_that_is_full_at_a_random_place_damages_nothing(course, tmp_path):
    done = small_disk(FULL, str(course.root), str(tmp_path / "disk"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("No space left on device") >= 1


@pytest.mark.full
def test_a_clone_leaves_git_status_clean_and_the_bytes_of_the_first(bare_clone, course):
    """Two clones on one machine: the whole course, from nothing."""
    bare_clone.call("dlvc", "run")
    assert bare_clone.read("dvc.lock") == course.read("dvc.lock")
    assert bare_clone.call("git", "status", "--porcelain").stdout == ""
    assert SMALL["runtime.threads"] == 1
