"""`mlflow run`, as a user of MLflow calls it."""

from __future__ import annotations

import json


def mlflow_run(project, *words, ok=True):
    return project.call("mlflow", "run", ".", "--env-manager", "local", *words, ok=ok)


def test_one_stage_with_a_parameter(course):
    from mlflow import MlflowClient

    before = course.read("params.yaml")
    mlflow_run(course, "-e", "perceptron", "-P", "perceptron.epochs=4")
    metrics = json.loads(course.read("results/perceptron/metrics.json"))
    try:
        assert metrics["updates"] == 4
        client = MlflowClient(f"sqlite:///{course.root / 'mlflow.db'}")
        lecture = client.get_experiment_by_name("Lecture 05 perceptron")
        newest = client.search_runs([lecture.experiment_id], order_by=["start_time DESC"])[0]
        assert newest.data.params["epochs"] == "4"
        parent = client.get_run(newest.data.tags["mlflow.parentRunId"])
        assert parent.data.tags["mlflow.project.entryPoint"] == "perceptron"
        assert parent.info.status == "FINISHED"
    finally:
        (course.root / "params.yaml").write_text(before, encoding="utf-8")
        course.dvc("repro")


def test_a_stage_with_variants_runs_them_all(course):
    course.set({"update_rules.per_epoch.epochs": 2, "update_rules.per_batch.epochs": 2})
    try:
        mlflow_run(course, "-e", "update_rules")
        for rule, updates in (("per_epoch", 2), ("per_batch", 40), ("per_sample", 2000)):
            metrics = json.loads(course.read(f"results/update_rules/{rule}/metrics.json"))
            assert metrics["updates"] == updates
    finally:
        course.set({"update_rules.per_epoch.epochs": 3, "update_rules.per_batch.epochs": 5})
        course.dvc("repro")


def test_the_whole_course_has_nothing_left_to_do(course):
    assert "Data and pipelines are up to date." in mlflow_run(course).stdout


def test_an_unknown_parameter_is_one_line_and_a_failed_run(course):
    done = mlflow_run(course, "-e", "lenet", "-P", "lenet.epoch=4", ok=False)
    assert done.returncode != 0
    assert "lenet.epoch is not known; did you mean epochs?" in done.stderr + done.stdout
