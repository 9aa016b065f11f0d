"""`dvcview sync`: one finished run for every state, however the state came about."""

from __future__ import annotations

import csv
import json
import re
import shutil
import time
from pathlib import Path

import pytest

PERCEPTRON = "perceptron.epochs"


def canonical_runs(project):
    """The runs that bear the states of dvc.lock, by stage."""
    found = {}
    for stage, state in project.states().items():
        runs = project.runs(stage)
        found[stage] = [
            run.info.run_id
            for run in runs
            if run.data.tags.get("dvcview.state") == state.digest and run.info.status == "FINISHED"
        ]
    return found


def assert_complete(project):
    found = canonical_runs(project)
    assert len(found) == 25
    assert {stage: len(runs) for stage, runs in found.items()} == dict.fromkeys(found, 1)
    return found


def current_runs(project):
    """The runs that are marked as current, by stage."""
    return {
        stage: [run.info.run_id for run in project.runs(stage) if "current" in run.data.tags]
        for stage in project.states()
    }


@pytest.mark.full
def test_a_run_is_named_after_the_parameters_that_are_not_committed(done):
    (first,) = done.runs("perceptron")
    assert current_runs(done) == canonical_runs(done)
    done.set({PERCEPTRON: 3, "runtime.threads": 2})
    done.dvc("repro", "perceptron")
    done.sync()
    assert_complete(done)
    assert current_runs(done) == canonical_runs(done)
    names = [run.info.run_name for run in done.runs("perceptron")]
    assert names == ["perceptron", "perceptron · epochs=3 · runtime.threads=2"]
    colours = [run.data.tags.get("mlflow.runColor") for run in done.runs("perceptron")]
    assert colours[0] is None
    assert colours[1] is not None

    # Once the values are committed, the other run is the one that differs.
    done.client.update_run(first.info.run_id, name="mine")
    done.commit("3 epochs")
    done.sync()
    assert [run.info.run_name for run in done.runs("perceptron")] == ["mine", "perceptron"]
    done.client.update_run(first.info.run_id, name="perceptron")
    done.sync()
    names = [run.info.run_name for run in done.runs("perceptron")]
    assert names == ["perceptron · epochs=20 · runtime.threads=1", "perceptron"]


def test_a_deleted_store_is_built_again_and_a_second_sync_changes_nothing(done):
    done.forget()
    said = done.sync()
    assert "built the runs of params, " in said
    before = assert_complete(done)
    (perceptron,) = done.runs("perceptron")
    with (done.root / "results/perceptron/curves.csv").open() as file:
        curve = [float(row["test_accuracy"]) for row in csv.DictReader(file)]
    history = done.client.get_metric_history(perceptron.info.run_id, "test_accuracy")
    assert [point.value for point in history] == curve
    assert [point.step for point in history] == list(range(1, len(curve) + 1))

    (done.root / ".dvcview/synced.json").unlink()  # so that it looks into the store
    assert "no run was missing" in done.sync()
    assert canonical_runs(done) == before
    assert {stage: len(done.runs(stage)) for stage in before} == dict.fromkeys(before, 1)
    for model in done.client.search_registered_models():
        assert len(done.client.search_model_versions(f"name = '{model.name}'")) == 1


@pytest.mark.full
def test_a_run_that_somebody_deleted_comes_back(done):
    (lenet,) = done.runs("lenet")
    done.client.delete_run(lenet.info.run_id)
    assert "built the runs of lenet" in done.sync()
    assert assert_complete(done)["lenet"] != [lenet.info.run_id]


@pytest.mark.full
@pytest.mark.parametrize("tag", ["dvcview.event_log", "dvcview.building"])
def test_a_second_run_that_a_kill_has_left_is_deleted(done, tag):
    """A server that is killed can create a run, and the client that asked for it another one."""
    (run,) = done.runs("lenet")
    identity = run.data.tags["dvcview.state" if tag.endswith("building") else tag]
    experiment = run.info.experiment_id
    left = done.client.create_run(experiment, tags={tag: identity, "stage": "lenet"})
    other = done.client.create_run(experiment, tags={tag: "0", "stage": "lenet"})
    done.sync()
    found = {run.info.run_id for run in done.runs("lenet")}
    assert found == {run.info.run_id, other.info.run_id}
    assert left.info.run_id not in found


def test_a_stage_from_dvcs_cache_gets_its_run_under_the_execution_that_brought_it(done):
    """Back to an earlier value: DVC restores, and no code of the stage runs."""
    (old,) = done.runs("perceptron")
    done.set({PERCEPTRON: 3})
    done.dvc("repro", "perceptron")
    done.sync()
    done.client.delete_run(old.info.run_id)
    done.set({PERCEPTRON: 20, "optimizers.epochs": 1})
    said = done.dvc("repro", "perceptron", "optimizers").stdout
    assert "Stage 'perceptron' is cached - skipping run" in said
    done.sync()
    assert_complete(done)
    perceptron = done.runs("perceptron")[-1]
    assert perceptron.data.params[PERCEPTRON] == "20"
    assert perceptron.data.tags["origin"] == "built from files"
    assert perceptron.data.metrics == old.data.metrics
    parent = done.client.get_run(perceptron.data.tags["mlflow.parentRunId"])
    assert parent.info.run_name == "dvc repro perceptron optimizers"
    assert parent.data.tags["restored"] == "perceptron"
    optimizers = ["optimizers@sgd", "optimizers@momentum", "optimizers@adam"]
    assert sorted(parent.data.tags["ran"].split(", ")) == sorted(["params", *optimizers])
    assert "digits" in parent.data.tags["unchanged"]


@pytest.mark.full
def test_the_same_state_again_is_a_repetition(done):
    (first,) = done.runs("perceptron")
    done.dvc("repro", "--single-item", "--force", "perceptron")
    done.sync()
    assert_complete(done)
    (_, second) = done.runs("perceptron")
    assert second.data.tags["dvcview.repeats"] == first.info.run_id
    assert "dvcview.state" not in second.data.tags
    assert second.data.metrics["test_accuracy"] == first.data.metrics["test_accuracy"]


@pytest.mark.full
def test_a_stage_that_another_execution_has_still_to_deliver_is_not_built(done):
    """MLflow could not be reached while it ran. The next execution delivers its own stages, and
    finds the state of the other one in dvc.lock."""
    done.set({PERCEPTRON: 3})
    done.dvc("repro", "perceptron", MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    done.wait_for(lambda: not done.processes("dvcview.tracking.recorder"))
    assert len(done.executions()) == 1
    done.dvc("repro", "--single-item", "--force", "params")
    done.wait_for(lambda: not done.processes("dvcview.tracking.recorder"))
    done.sync()
    assert_complete(done)
    (run,) = [run for run in done.runs("perceptron") if run.data.params[PERCEPTRON] == "3"]
    assert "origin" not in run.data.tags  # it was watched


@pytest.mark.full
def test_an_experiment_whose_folder_is_being_deleted_is_found_in_git(done):
    """DVC deletes it file by file, and whoever delivers may look in the middle of that."""
    done.commit("the course")
    done.dvc("exp", "run", "--temp", "--name", "brief", "-S", f"{PERCEPTRON}=2", "perceptron",
             MLFLOW_TRACKING_URI="http://127.0.0.1:9")  # fmt: skip
    (execution,) = done.executions()
    folder = Path(json.loads((execution / "execution.json").read_text())["workspace"])
    assert not folder.exists()
    folder.mkdir(parents=True)
    sync = done.start("dvcview", "sync")
    event_log = next(execution.glob("*.jsonl"))
    done.wait_for(event_log.with_suffix(".uploaded").exists)
    time.sleep(2)
    folder.rmdir()
    assert sync.wait(60) == 0, sync.text()
    (brief,) = [run for run in done.runs("perceptron") if run.data.params[PERCEPTRON] == "2"]
    assert brief.info.status == "FINISHED"


def pictures_of(project, epochs):
    """The pictures of the perceptron's run with so many epochs, by their name."""
    (run,) = [
        run for run in project.runs("perceptron") if run.data.params[PERCEPTRON] == str(epochs)
    ]
    names = {file.path for file in project.client.list_artifacts(run.info.run_id)}
    return {
        name: Path(project.client.download_artifacts(run.info.run_id, name)).read_bytes()
        for name in names
        if name.endswith(".png")
    }


@pytest.mark.full
def test_a_run_shows_the_pictures_of_its_own_state_and_no_others(done):
    """`figures` draws after the trainings: until then, and for another state, there are none."""
    names = {"loss.png", "accuracy.png", "confusion.png"}
    before = pictures_of(done, 20)
    assert before.keys() == names
    done.set({PERCEPTRON: 3})
    done.dvc("repro", "perceptron")
    done.sync()
    assert pictures_of(done, 3) == {}
    done.dvc("repro", "figures")
    done.sync()
    drawn = {
        name: (done.root / "figures/trainings/perceptron" / name).read_bytes() for name in names
    }
    assert pictures_of(done, 3) == drawn
    assert pictures_of(done, 20) == before

    done.forget()
    done.sync()
    assert pictures_of(done, 3) == drawn


@pytest.mark.full
def test_another_branch_has_its_own_runs(done):
    done.commit("the course")
    done.sync()
    done.call("git", "switch", "--quiet", "--create", "short")
    done.set({PERCEPTRON: 2})
    done.dvc("repro", "perceptron")
    done.commit("short")
    done.sync()
    short = canonical_runs(done)["perceptron"]
    done.call("git", "switch", "--quiet", "main")
    done.dvc("checkout")
    done.sync()
    long = assert_complete(done)["perceptron"]
    assert short != long
    assert current_runs(done)["perceptron"] == long
    version = done.client.get_model_version_by_alias("perceptron", "current")
    assert [version.run_id] == long


@pytest.mark.full
def test_an_experiment_of_the_queue_has_its_run(done):
    done.commit("the course")
    done.dvc("exp", "run", "--queue", "--name", "brief", "-S", f"{PERCEPTRON}=2", "perceptron")
    done.dvc("queue", "start", "-j", "2")
    done.dvc("queue", "logs", "--follow", "brief")
    done.wait_for(lambda: "Success" in done.dvc("queue", "status").stdout)
    done.wait_for(lambda: not done.executions())  # its recorder has done its work
    done.sync()
    assert_complete(done)
    (brief,) = [run for run in done.runs("perceptron") if run.data.params[PERCEPTRON] == "2"]
    assert brief.info.status == "FINISHED"
    assert brief.data.metrics["updates"] == 2
    assert brief.data.tags["dvc.experiment"] == "brief"
    parent = done.client.get_run(brief.data.tags["mlflow.parentRunId"])
    assert parent.info.run_name == "dvc exp run: brief"
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["ran"] == "params, perceptron"

    # And once more from nothing: the files are in DVC's cache and in the experiment's commit.
    done.forget()
    done.sync()
    (again,) = [run for run in done.runs("perceptron") if run.data.params[PERCEPTRON] == "2"]
    assert again.data.metrics == brief.data.metrics
    assert again.data.tags["dvcview.state"] == brief.data.tags["dvcview.state"]


@pytest.mark.full
def test_files_that_are_nowhere_are_named(done):
    done.forget()
    shutil.rmtree(done.root / ".dvc/cache")
    (done.root / "results/lenet/weights.safetensors").unlink()
    failed = done.call("dvcview", "sync", ok=False)
    assert failed.returncode == 2
    assert failed.stderr.startswith("error: no run was built for lenet: the files are not on")
    assert not done.runs("lenet")
    assert done.runs("perceptron")


def provenance_of(project, run):
    return artifact(project, run, "provenance.json")


def artifact(project, run, name):
    return json.loads(
        Path(project.client.download_artifacts(run.info.run_id, name)).read_text("utf-8")
    )


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != ".gitignore"}


@pytest.mark.full
def test_from_a_file_to_its_run_and_back(done, tmp_path):
    done.commit("the course")
    done.sync()
    said = done.call("dvcview", "which", "results/lenet/conv1.npy").stdout
    (lenet,) = done.runs("lenet")
    assert lenet.info.run_id in said

    # The run's entry of dvc.lock, with the md5 of every file.
    state = done.states()["lenet"]
    assert provenance_of(done, lenet) == {
        "stage": "lenet",
        "command": state.cmd,
        "deps": state.deps,
        "params": state.sections,
        "outs": state.outs,
    }

    # From a run one dvc command brings its files, also when the workspace has others.
    command = lenet.data.tags["dvc.restore"].split()
    kept = contents(done.root / "results/lenet")
    shutil.rmtree(done.root / "results")
    done.call(*command, "--out", str(tmp_path / "again"))
    assert contents(tmp_path / "again") == kept

    failed = done.call("dvcview", "which", "results/lenet/conv1.npy", ok=False)
    assert failed.returncode == 2
    assert "dvc checkout" in failed.stderr
    unknown = done.call("dvcview", "which", "README.md", ok=False)
    assert "is not an out of any stage" in unknown.stderr


@pytest.mark.full
def test_a_run_says_in_which_state_of_the_project_it_was(done):
    done.commit("the course")
    done.dvc("repro", "--single-item", "--force", "perceptron")
    readme = done.root / "README.md"
    readme.write_text(readme.read_text() + "an edit\n")
    done.dvc("repro", "--single-item", "--force", "perceptron")
    done.sync()
    _, clean, dirty = done.runs("perceptron")
    head = done.call("git", "rev-parse", "HEAD").stdout.strip()
    for run, is_dirty in ((clean, "false"), (dirty, "true")):
        assert run.data.tags["mlflow.source.git.commit"] == head
        assert run.data.tags["mlflow.source.git.dirty"] == is_dirty
        assert run.data.tags["device"] == "cpu"
        environment = artifact(done, run, "environment.json")
        assert environment["threads"] == "1"
        assert {"torch", "python", "cpu capability"} <= set(environment)
        hashes = {name for name, tag in run.data.tags.items() if re.fullmatch("[0-9a-f]{32}", tag)}
        assert hashes <= {"mlflow.parentRunId", "dvcview.pictures", "dvcview.repeats"}
    artifacts = {file.path for file in done.client.list_artifacts(dirty.info.run_id)}
    assert "not_committed.diff" in artifacts
    diff = done.client.download_artifacts(dirty.info.run_id, "not_committed.diff")
    with open(diff) as file:  # noqa: PTH123
        assert "+an edit" in file.read()
    assert "not_committed.diff" not in {
        file.path for file in done.client.list_artifacts(clean.info.run_id)
    }
