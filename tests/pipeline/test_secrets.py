"""Passwords and keys wherever a person has them: none of them is found in anything that is left."""

from __future__ import annotations

import os

import pytest

from tests.pipeline.mlflow_server import served

pytestmark = pytest.mark.full

# One in each place, so that a find says where it came from. Each begins with this:
OPEN = "open-sesame"
AROUND = {
    "AWS_ACCESS_KEY_ID": f"{OPEN}-aws-id",
    "AWS_SECRET_ACCESS_KEY": f"{OPEN}-aws-key",
    "DVCVIEW_DATABASE": f"postgresql://me:{OPEN}/database@127.0.0.1/mlflow",
    "DLVC_MIRROR": f"ftp://me:{OPEN}@mirror@127.0.0.1:9/mnist",
    "MLFLOW_TRACKING_USERNAME": "me",
    "MLFLOW_TRACKING_PASSWORD": f"{OPEN}-mlflow",
}
CONFIG = f"""
['remote "team"']
    url = s3://me:{OPEN}-remote@bucket/dlvc
    secret_access_key = {OPEN}-config
"""
# A mistake of ours whose message has an address in it; its traceback becomes an artifact.
BROKEN = f"""
from pathlib import Path
from dvcview.tracking import stage_run
with stage_run("params", Path("params.schema.json"), {{"address": "https://me:{OPEN}-p@host/"}}):
    raise ValueError("no answer from https://me:{OPEN}-message@host, password={OPEN}-pair")
"""


@pytest.fixture
def project(fresh):
    """A project with keys in its settings: committed ones that have changed since, local ones, and
    a password in the code."""
    (fresh.root / ".dvc/config.local").write_text(CONFIG)
    config = fresh.root / ".dvc/config"
    config.write_text(config.read_text() + CONFIG)
    fresh.commit("with keys")
    config.write_text(config.read_text().replace(f"{OPEN}-config", f"{OPEN}-new"))
    with (fresh.root / "src/dlvc/cli.py").open("a") as code:
        code.write(f"# fetched from https://me:{OPEN}-code@host\nPASSWORD = '{OPEN}-code'\n")
    return fresh


def leaks(*folders):
    """The lines, in all files but those where a person has put a secret, that hold one."""
    theirs = {".dvc/config", ".dvc/config.local", "params.yaml", "src/dlvc/cli.py"}
    found = []
    for folder in folders:
        for file in folder.rglob("*"):
            name = file.relative_to(folder).as_posix()
            if file.is_file() and name not in theirs and not name.startswith((".git/", "tests/")):
                found += [(name, line) for line in file.read_bytes().split(b"\n")
                          if OPEN.encode() in line]  # fmt: skip
    return found


def use(project, address):
    """All that can be seen of a stage that ends well, of three that fail, and of `dvcview sync`."""
    around = AROUND | {"MLFLOW_TRACKING_URI": address}
    said = [
        project.dvc("repro", "params", **around),
        project.call("python", "-c", BROKEN, f"--password={OPEN}-word", ok=False, **around),
        project.call("dlvc", "run", f"--data.digits.path=x://me:{OPEN}-path@y", ok=False, **around),
        project.dvc("exp", "run", "-S", f"data.digits.path='x://me:{OPEN}-S@y'", "params",
                    ok=False, **around),
    ]  # fmt: skip
    project.call("git", "checkout", "HEAD", "params.yaml")
    project.set({"data.digits.source": "mnist"})
    said += [
        project.call("python", "src/stage.py", "digits", ok=False, **around),
        project.call("dvcview", "sync", ok=False, **around),
        project.call("dvcview", "server", "--port", "1", ok=False, **around),
    ]
    assert [done.returncode == 0 for done in said[:5]] == [True, False, False, False, False]
    # They write as well; and MLflow fails where two are at the tables of a new store.
    project.wait_for(lambda: not project.processes("dvcview.tracking.recorder"))
    return said


def no_secret_is_said(said):
    for done in said:
        # The traceback of a mistake of ours goes to the terminal as Python writes it.
        if done.args[1] != "-c":
            assert OPEN not in done.stdout + done.stderr, done.args
        assert OPEN not in done.stdout


def test_with_a_store_in_a_file(project):
    said = use(project, f"sqlite:///{project.root / 'mlflow.db'}")
    no_secret_is_said(said)
    assert leaks(project.root) == []
    runs = project.runs("params")
    assert {run.info.status for run in runs} == {"FINISHED", "FAILED"}
    errors = [run.data.tags["error"] for run in runs if "error" in run.data.tags]
    assert "ValueError: no answer from https://***@host, password=***" in errors
    (traceback,) = (project.root / "mlruns").rglob("error.txt")
    assert "https://***@host" in traceback.read_text()
    diff = next((project.root / "mlruns").rglob("not_committed.diff")).read_text()
    assert "changed, not in this diff: .dvc/config" in diff
    assert "# fetched from https://***@host" in diff


def test_with_a_server(project, tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    with served(folder / "store.db", folder) as server:
        said = use(project, server.address.replace("//", f"//me:{OPEN}-uri@"))
    no_secret_is_said(said)
    assert "(http://***@127.0.0.1:" in said[5].stdout
    assert leaks(project.root, folder) == []


def test_with_a_server_that_is_not_there(project):
    said = use(project, f"http://me:{OPEN}-uri@127.0.0.1:9")
    no_secret_is_said(said)
    assert "http://***@127.0.0.1:9" in said[0].stderr
    assert said[5].returncode == 2
    assert leaks(project.root) == []


def test_the_search_finds_a_secret(tmp_path):
    (tmp_path / "database").write_bytes(os.urandom(1000) + b"\0" + OPEN.encode() + b"\0")
    assert [name for name, _ in leaks(tmp_path)] == ["database"]
