"""Every command of docs/scaling.md, as it stands there. What is not at hand is played: the second
machine by a second clone on loopback, Slurm by a program that runs an array's tasks in turn."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.imports import ROOT
from tests.pipeline.mlflow_server import free_port
from tests.pipeline.project import SMALL, Project
from tests.pipeline.shared import shared_project
from tests.stress.undisturbed import words_of

DOCUMENT = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
SBATCH = """#!/bin/bash
# sbatch -W --array=FIRST-LAST --wrap COMMAND
[ "$1" = -W ] && [ "$3" = --wrap ] || exit 2
range=${2#--array=}
first=${range%-*} last=${range#*-}
export SLURM_ARRAY_TASK_COUNT=$((last - first + 1))
for SLURM_ARRAY_TASK_ID in $(seq $last -1 $first); do
    export SLURM_ARRAY_TASK_ID
    sh -c "$4" || exit 1
done
"""

pytestmark = pytest.mark.full


def commands(heading: str) -> list[str]:
    """The blocks of commands under a heading."""
    section = DOCUMENT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found: list[str] = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return found


def test_no_command_is_left_out():
    tested = ("A training in several processes", "Two machines", "Features in shards")
    assert sum(len(commands(heading)) for heading in tested) == DOCUMENT.count("```sh")


@pytest.fixture(scope="session")
def base(pytestconfig) -> Project:
    """Images, features and LeNet, by one process, all at once."""
    params = {**SMALL, "lenet.epochs": 3}
    return shared_project(
        pytestconfig, "base", params, lambda project: project.dvc("repro", "features", "lenet")
    )


@pytest.fixture
def project(base, tmp_path) -> Project:
    return base.duplicate(tmp_path / "dlvc")


def two_machines() -> list[str]:
    """What to say on the first one and on the other, if both are this one."""
    port = str(free_port())
    blocks = commands("Two machines")
    return [block.replace("node-0", "127.0.0.1").replace("29500", port) for block in blocks]


def outs(project, stage):
    return dict(project.states()[stage].outs)


def test_two_machines_learn_what_two_processes_of_one_learn_also_after_a_kill(
    base, project, tmp_path
):
    together = base.duplicate(tmp_path / "together")
    for one in (together, project):
        one.set({"lenet.epochs": 30})
    (local,) = commands("A training in several processes")
    said = together.call("bash", "-c", local)
    assert said.stdout.count("\nepoch ") == 30
    assert "resumes " not in said.stderr
    assert "processes: 2" in together.read("results/lenet/metrics.json")

    here, there = two_machines()
    other = project.duplicate(tmp_path / "other machine")
    before = other.call("git", "status", "--porcelain").stdout
    first = project.start("bash", "-c", here)
    second = other.start("bash", "-c", there)
    project.wait_for(lambda: list(project.root.glob(".dlvc/checkpoints/lenet-*.pt")))
    (rank,) = (
        process for process in other.processes("-u")
        if "torchrun" not in " ".join(words_of(process))
    )  # fmt: skip
    rank.kill()
    assert first.wait(1200) == 0, first.text()
    assert second.wait(1200) == 0, second.text()
    assert "resumes " in first.text()
    assert outs(project, "lenet") == outs(together, "lenet")
    assert other.call("git", "status", "--porcelain").stdout == before


def test_a_mistake_on_one_of_two_machines_is_told_at_once_and_not_trained_through(
    base, project, tmp_path
):
    """The other machine has another rate: what would be learned is nobody's training."""
    project.set({"lenet.epochs": 4})
    other = project.duplicate(tmp_path / "other machine")
    other.set({"lenet.learning_rate": 0.01})
    here, there = two_machines()
    first = project.start("bash", "-c", here)
    second = other.start("bash", "-c", there)
    assert first.wait(1200) != 0
    second.wait(1200)
    assert "1 of its 2 processes have other parameters, code or images" in first.text()
    assert "Traceback" not in first.text()
    assert outs(project, "lenet") == outs(base, "lenet")


def test_shards_on_this_machine_and_by_slurm(base, project, tmp_path):
    local, slurm = commands("Features in shards")
    project.call("bash", "-c", local)
    assert outs(project, "features") == outs(base, "features")
    assert not list((project.root / "data/shards").glob("*"))

    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/sbatch"
    program.write_text(SBATCH)
    program.chmod(0o755)
    array, merge = slurm.strip().splitlines()
    path = f"{program.parent}:{project.environment()['PATH']}"
    project.call("bash", "-c", array, PATH=path)
    assert len(list(project.root.glob("data/shards/*/*-of-7"))) == 7
    clone = base.duplicate(tmp_path / "merging")
    (project.root / "data/shards").rename(clone.root / "data/shards")
    clone.dvc("repro", "--force", "--single-item", "params")
    merged = clone.call("bash", "-c", merge)
    assert "shards/" not in merged.stderr  # none is missing, and none of another number is there
    assert outs(clone, "features") == outs(base, "features")


def test_what_is_missing_of_an_array_is_named_and_made(base, project):
    project.set({"features.shards": 3})
    for number in (0, 2):
        project.call("dlvc", "features", "--shard", f"{number}/3")
    (damaged,) = project.root.glob("data/shards/*/2-of-3")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    said = project.dvc("repro", "features")
    folder = Path(*damaged.parts[-4:-1])
    assert f"{folder}/2-of-3: damaged; computing it again" in said.stderr
    assert f"{folder}: computing missing shards: 1-of-3" in said.stderr
    assert outs(project, "features") == outs(base, "features")
