"""`dvcview verify` on the course: right, without data, damaged, of other parameters, running."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal

import pytest

from tests.pipeline.project import Project
from tests.stress import bit_flips as flips


def test_after_a_run_everything_is_right_and_metrics_are_as_committed(clone):
    said = clone.call("dvcview", "verify").stdout
    assert "metrics compared with HEAD's, exactly, computed the same way: perceptron, " in said
    assert said.splitlines()[-1].startswith("intact (")
    assert "not on this machine" not in said


@pytest.mark.full
def test_a_clone_without_data_is_checked_as_far_as_it_goes(bare_clone):
    said = bare_clone.call("dvcview", "verify").stdout
    assert "\nnot on this machine: " in said
    assert " outs; `dvc pull` or `dvc repro` brings them\n" in said
    assert "metrics compared with HEAD's, exactly" in said

    curves = bare_clone.root / "results/lenet/curves.csv"
    curves.write_text(curves.read_text().replace("1", "2", 1))
    done = bare_clone.call("dvcview", "verify", ok=False)
    assert done.returncode == 1
    assert "results/lenet/curves.csv: its md5 is " in done.stdout
    assert "\n    git checkout HEAD -- results/lenet/curves.csv\n" in done.stdout

    (bare_clone.root / "dvc.lock").write_text("stages:\n  lenet: [\n")
    done = bare_clone.call("dvcview", "verify", ok=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: dvc.lock, line ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.full
def test_results_of_other_parameters_are_not_held_to_the_committed_ones(clone, tmp_path):
    changed = clone.duplicate(tmp_path / "changed")
    changed.set({"perceptron.epochs": 3})
    changed.dvc("repro", "perceptron")
    said = changed.call("dvcview", "verify").stdout
    assert "not compared, another perceptron.epochs than HEAD's: perceptron\n" in said


@pytest.mark.full
def test_what_a_running_stage_writes_is_not_called_damaged(clone, tmp_path):
    project = clone.duplicate(tmp_path / "running")
    project.set({"lenet.epochs": 1000})
    running = project.start("dvc", "repro", "lenet")
    event_logs = project.root / ".dvcview/executions"
    project.wait_for(
        lambda: any("epoch" in f.read_text() for f in event_logs.glob("*/lenet-*.jsonl"))
    )
    said = project.call("dvcview", "verify").stdout
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert "not checked, because " in said
    assert "results/lenet/weights.safetensors" in said


def copy_of(project, root):
    """Copy a project in full. The campaign writes into the cache, so hard links would not do."""
    project.wait_for(lambda: not project.processes("dvcview.tracking.recorder"))
    return Project(shutil.copytree(project.root, root))


@pytest.mark.full
def test_every_flipped_bit_is_found_and_mended(clone, tmp_path):
    """One round of `python -m tests.stress.bit_flips`: each kind of file, with its time kept and
    with a new one, is found, and each kind is mended."""
    project = copy_of(clone, tmp_path / "flips")
    said: list[str] = []
    assert flips.run_rounds(project.root, 14, 3, said.append) == []
    table = [line.split(" | ")[1:] for line in said if " time " in line]
    assert table == [["1", "1", "0", "0 |"], ["1", "1", "1", "1 |"]] * 7  # new time, time kept


@pytest.mark.full
def test_every_flipped_bit_is_mended_where_there_is_a_remote(clone, tmp_path):
    project = copy_of(clone, tmp_path / "flips")
    project.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    project.dvc("push", "--quiet")
    said: list[str] = []
    assert flips.run_rounds(project.root, 14, 4, said.append) == []


@pytest.mark.full
@pytest.mark.parametrize("has_remote", [False, True])
def test_results_that_are_wrong_in_dvc_lock_too_are_made_again(clone, tmp_path, has_remote):
    """`dvc pull` says that everything is up to date, because the files agree with dvc.lock."""
    project = copy_of(clone, tmp_path / "wrong")
    metrics = project.root / "results/perceptron/metrics.json"
    right = metrics.read_bytes()
    wrong = json.loads(right) | {"test_accuracy": 1.5}
    metrics.write_text(json.dumps(wrong))
    project.dvc("commit", "--force", "perceptron")
    if has_remote:
        project.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
        project.dvc("push", "--quiet")
    for _ in range(2):  # the commands that verify names
        found = project.call("dvcview", "verify", ok=False)
        commands = [line.strip() for line in found.stdout.splitlines() if "dvc repro" in line]
        assert commands, found.stdout
        assert not any("dvc pull" in command for command in commands)
        project.call("sh", "-c", commands[0].removeprefix("repair: "))
        if metrics.read_bytes() == right:
            break
    assert metrics.read_bytes() == right
    project.call("dvcview", "verify")


@pytest.mark.full
@pytest.mark.parametrize("has_remote", [False, True])
def test_a_file_of_git_that_has_no_copy_is_made_again(clone, tmp_path, has_remote):
    project = copy_of(clone, tmp_path / "lost")
    if has_remote:
        project.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
        project.dvc("push", "--quiet")
    metrics = project.root / "results/perceptron/metrics.json"
    right = metrics.read_bytes()
    project.commit("all but the metrics")
    project.call("git", "rm", "--cached", "--quiet", str(metrics))
    project.call("git", "commit", "--quiet", "--message", "without the metrics")
    metrics.write_bytes(right + b" ")
    md5 = hashlib.md5(right, usedforsecurity=False).hexdigest()
    (project.root / f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}").unlink()  # of the run cache
    found = project.call("dvcview", "verify", ok=False).stdout
    (command,) = {line.strip() for line in found.splitlines() if "dvc repro" in line}
    project.call("sh", "-c", command.removeprefix("repair: "))
    assert metrics.read_bytes() == right
    project.call("dvcview", "verify")


@pytest.mark.full
def test_the_campaign_counts_what_is_missed(clone, tmp_path, monkeypatch):
    project = copy_of(clone, tmp_path / "blind")
    nothing_wrong = flips.check_bytes(project.root)
    monkeypatch.setattr(flips, "check_bytes", lambda root: nothing_wrong)
    said: list[str] = []
    assert len(flips.run_rounds(project.root, 3, 3, said.append)) == 3
    counts = [line.split(" | ")[1:3] for line in said if " time " in line]
    assert counts[:6] == [["0", "0"], ["1", "0"]] * 3  # new time, time kept
