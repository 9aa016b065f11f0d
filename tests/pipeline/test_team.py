"""Two members of a team run stages against one server, which is killed in the middle."""

from __future__ import annotations

import pytest
from mlflow import MlflowClient

from tests.pipeline.team_server import Server, database, needs_postgresql

pytestmark = [pytest.mark.full, needs_postgresql]

BOTH = {"params", "photos", "features", "perceptron"}  # what both members run
ONE = {"digits", "update_rules@per_epoch"}  # what only the first member runs, afterwards


def test_nothing_is_lost_when_the_server_is_killed_under_two_clients(course, tmp_path):
    one = course.duplicate(tmp_path / "one")
    two = course.duplicate(tmp_path / "two")
    (tmp_path / "server").mkdir()
    with database() as folder, Server(tmp_path / "server", DVCVIEW_POSTGRES=str(folder)) as server:
        client = MlflowClient(server.uri)
        more = "update_rules@per_epoch"
        both = [
            one.start("dvc", "repro", "-f", "perceptron", more, MLFLOW_TRACKING_URI=server.uri),
            two.start("dvc", "repro", "-f", "perceptron", MLFLOW_TRACKING_URI=server.uri),
        ]
        one.wait_for(lambda: len(one.runs("photos", client)) == 2, seconds=300)
        server.kill()
        one.wait_for(lambda: both[1].poll() is not None)  # the second one ends without a server
        server.start()
        for process in both:
            said = process.said(1200)
            assert process.returncode == 0, said
        assert one.read("dvc.lock") == two.read("dvc.lock") == course.read("dvc.lock")
        for project in (one, two, one):
            project.sync(MLFLOW_TRACKING_URI=server.uri)

        for stage, state in one.states().items():
            runs = one.runs(stage, client)
            assert {run.info.status for run in runs} == {"FINISHED"}
            canonical_runs = [
                run for run in runs if run.data.tags.get("dvcview.state") == state.digest
            ]
            assert len(canonical_runs) == 1
            # Each member's own run is there. A stage that nobody ran has one run, built from files.
            # So may a stage that one member found in dvc.lock before the other had delivered it.
            watched = [run for run in runs if "origin" not in run.data.tags]
            assert len(watched) == (2 if stage in BOTH else 1 if stage in ONE else 0), stage
            assert len(runs) - len(watched) <= 1
            for run in runs:
                assert_same_curve(client, course, stage, run)
        executions = client.get_experiment_by_name("dlvc executions")
        parents = client.search_runs([executions.experiment_id])
        assert {run.info.status for run in parents} == {"FINISHED"}
        assert {f"dvc repro -f perceptron {more}", "dvc repro -f perceptron"} <= {
            run.info.run_name for run in parents
        }
    assert not (one.root / "mlruns").exists()


def assert_same_curve(client, course, stage, run):
    """Every point that a local store has."""
    local = course.runs(stage)[0].info.run_id
    for metric in ("train_loss", "test_accuracy", "by_updates/test_accuracy"):
        ours, theirs = (
            [(point.step, point.value) for point in store.get_metric_history(run_id, metric)]
            for store, run_id in ((course.client, local), (client, run.info.run_id))
        )
        assert theirs == ours
