import shutil

import pytest
from mlflow import MlflowClient

from dvcview.errors import UserError
from dvcview.tracking.relocate import relocate_artifacts


@pytest.fixture
def project(tmp_path):
    """A project whose MLflow store has one run with one artifact."""
    root = tmp_path / "the project"
    root.mkdir()
    client = MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    experiment = client.create_experiment("lecture", (root / "mlruns").as_uri())
    run = client.create_run(experiment)
    client.log_text(run.info.run_id, "0.9", "accuracy.txt")
    return root


def artifact(root):
    """The folder of the only run's artifacts, and the content of its artifact."""
    client = MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("lecture").experiment_id])
    file = client.download_artifacts(run.info.run_id, "accuracy.txt")
    with open(file, encoding="utf-8") as opened:  # noqa: PTH123
        return run.info.artifact_uri, opened.read()


def test_a_project_in_its_own_place_is_left_alone(project, capsys):
    before = artifact(project)
    relocate_artifacts(project / "mlflow.db")
    assert artifact(project) == before
    assert "moved" not in capsys.readouterr().err


def test_a_file_that_is_no_store_is_one_line(tmp_path):
    (tmp_path / "mlflow.db").write_text("this is no database, and long enough to be none" * 30)
    with pytest.raises(UserError, match=r"mlflow\.db: file is not a database, so the store"):
        relocate_artifacts(tmp_path / "mlflow.db")
    (tmp_path / "mlflow.db").write_bytes(b"")
    relocate_artifacts(tmp_path / "mlflow.db")  # MLflow is about to create its tables


@pytest.mark.parametrize("way", [shutil.copytree, shutil.move])
def test_artifacts_follow_a_copied_or_moved_project(project, tmp_path, way, capsys):
    there = tmp_path / "another place"
    way(project, there)
    relocate_artifacts(there / "mlflow.db")
    uri, content = artifact(there)
    assert content == "0.9"
    assert uri.startswith((there / "mlruns").as_uri() + "/")
    assert str(there / "mlruns") in capsys.readouterr().err
    if project.exists():
        assert artifact(project)[0].startswith((project / "mlruns").as_uri())


def test_artifacts_that_were_not_copied_are_read_from_where_they_are(project, tmp_path):
    there = tmp_path / "another place"
    shutil.copytree(project, there, ignore=shutil.ignore_patterns("mlruns"))
    relocate_artifacts(there / "mlflow.db")
    assert artifact(there) == artifact(project)
    client = MlflowClient(f"sqlite:///{there / 'mlflow.db'}")
    new = client.get_experiment_by_name("lecture").artifact_location
    assert new == (there / "mlruns").as_uri()
