"""A server for a team: a real PostgreSQL, a real MLflow server, real clients, all on loopback."""

from __future__ import annotations

import base64
import json
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import sqlalchemy

from dvcview import cli
from dvcview.server import postgres as cluster
from dvcview.server.mlflow_server import CLOSED, is_loopback
from dvcview.server.postgres import database_url
from tests.imports import ROOT
from tests.pipeline.mlflow_server import free_port
from tests.pipeline.team_server import Server, database, needs_postgresql, run_dvcview
from tests.pipeline.writer import EXPERIMENT

pytestmark = [pytest.mark.full, needs_postgresql]

ADMIN = "correct horse battery"
MEMBER = "staple of a member"
TEAM = "p@ss/w%rd: 100%"  # every character that means something in an address or in an ini file
STEPS = 160
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def folder():
    with database() as running:
        yield running


@pytest.fixture(scope="module")
def one_server(folder, tmp_path_factory):
    with Server(tmp_path_factory.mktemp("server"), DVCVIEW_POSTGRES=str(folder)) as running:
        yield running


@pytest.fixture
def server(one_server):
    """The server, started anew if a test has left it dead."""
    one_server.start()
    return one_server


@pytest.fixture
def rows(folder):
    """Ask PostgreSQL itself, behind MLflow's back."""
    engine = sqlalchemy.create_engine(database_url(folder))
    with engine.connect() as connection:
        yield lambda query, **values: connection.execute(sqlalchemy.text(query), values).all()
    engine.dispose()


@pytest.fixture
def writers(server):
    """Start clients; those that still run at the end are ended."""
    started = []

    def start(name: str, steps: int, to: Server = server, **environment: str):
        # A client that waits for a dead server as long as MLflow does by default tests nothing.
        settings = {
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
            "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_TRACKING_URI": to.uri,
        }
        output = to.root / f"{name}.txt"
        with output.open("w", encoding="utf-8") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.pipeline.writer", name, str(steps)],
                cwd=ROOT, stdout=said, stderr=subprocess.STDOUT,
                env=to.environment | settings | environment,
            )  # fmt: skip
        started.append(process)
        return process, output

    yield start
    for process in started:
        process.kill()
        process.wait()


def experiment(client) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    return found.experiment_id if found else client.create_experiment(EXPERIMENT)


def acknowledged(output: Path) -> set[int]:
    lines = output.read_text(encoding="utf-8").splitlines()
    return {int(line.split()[1]) for line in lines if line.startswith("ok ")}


def run_id(output: Path) -> str:
    (line,) = [line for line in output.read_text().splitlines() if line.startswith("run ")]
    return line.split()[1]


def client_of(server: Server):
    from mlflow import MlflowClient

    return MlflowClient(server.uri)


def test_a_run_is_written_over_http_and_stands_in_postgresql(server, writers, rows):
    client = client_of(server)
    assert client.get_experiment(experiment(client)).artifact_location.startswith(
        "mlflow-artifacts:"
    )
    process, output = writers("one", 3)
    assert process.wait(600) == 0, output.read_text()

    run = client.get_run(run_id(output))
    assert run.info.status == "FINISHED"
    assert run.data.params == {"param_0": "0", "param_1": "1", "param_2": "2"}
    assert run.data.metrics == {"square": 4}
    found = rows("SELECT step, value FROM metrics WHERE run_uuid = :run", run=run.info.run_id)
    assert sorted(found) == [(0, 0), (1, 1), (2, 4)]
    assert rows("SELECT name FROM experiments WHERE name = :name", name=EXPERIMENT)

    # The client was told of no folder: the file went through the server.
    assert run.info.artifact_uri.startswith("mlflow-artifacts:")
    (kept,) = (server.root / ".dvcview" / "artifacts").glob(f"*/{run.info.run_id}/artifacts/2.txt")
    assert kept.read_text() == "2" * 1000


def test_what_was_acknowledged_survives_kill_9_with_two_clients_writing(server, writers):
    client = client_of(server)
    experiment(client)
    clients = {name: writers(name, STEPS) for name in ("first", "second")}
    end = time.monotonic() + 600
    while any(len(acknowledged(output)) < STEPS // 16 for _, output in clients.values()):
        assert time.monotonic() < end, [output.read_text() for _, output in clients.values()]
        time.sleep(0.05)
    server.kill()
    before = {name: acknowledged(output) for name, (_, output) in clients.items()}
    assert all(len(steps) < STEPS for steps in before.values()), "killed too late"
    server.start()

    written = {name: client.get_run(run_id(output)) for name, (_, output) in clients.items()}
    for name, run in written.items():
        history = client.get_metric_history(run.info.run_id, "square")
        assert before[name] <= {point.step for point in history}
        assert {f"param_{step}" for step in before[name]} <= run.data.params.keys()
        files = {file.path: file.file_size for file in client.list_artifacts(run.info.run_id)}
        for step in before[name]:
            assert files[f"{step}.txt"] == len(str(step)) * 1000

    # And the clients went on as if nothing had been.
    for name, (process, output) in clients.items():
        assert process.wait(600) == 0, output.read_text()
        assert "again" in output.read_text()
        history = client.get_metric_history(written[name].info.run_id, "square")
        assert sorted({(point.step, point.value) for point in history}) == [
            (step, step**2) for step in range(STEPS)
        ]


def test_jobs_pickles_and_telemetry_are_off(server):
    from mlflow import environment_variables

    for process in server.processes():
        assert CLOSED.items() <= process.environ().items()
    # MLflow ignores a variable that it does not know: is this what it calls them, and does it work?
    for name in CLOSED:
        assert name in vars(environment_variables), name
    words = [" ".join(process.cmdline()) for process in server.processes()]
    assert len(words) == 2, "MLflow's own process and one worker; a runner of jobs would be a third"
    job = json.dumps({"job_name": "invoke_scorer", "params": {}}).encode()
    _, answer = server.ask("/ajax-api/3.0/jobs/", job, **JSON)
    assert "job execution feature is not enabled" in answer


def test_another_host_name_is_refused(server):
    """A page in somebody's browser cannot reach the server by a name that points to loopback."""
    assert server.status("/api/2.0/mlflow/experiments/search", Host="example.org") == 403


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("", False), ("10.0.0.1", False), ("127.1", False),
        ("localhost.example.org", False),
    ],
)  # fmt: skip
def test_only_loopback_goes_without_a_password(host, loopback):
    assert is_loopback(host) is loopback


@pytest.fixture(scope="module")
def team_address(folder):
    """A database as a team would have one: another role, with a password, over the same socket."""
    engine = sqlalchemy.create_engine(
        database_url(folder, "postgres", "postgres"), isolation_level="AUTOCOMMIT"
    )
    rules = folder / "data" / "pg_hba.conf"
    rules.write_text("local team team scram-sha-256\n" + rules.read_text())
    quoted = TEAM.replace("'", "''").replace(":", "\\:")
    with engine.connect() as connection:
        for statement in (
            f"CREATE ROLE team LOGIN PASSWORD '{quoted}'",
            "CREATE DATABASE team OWNER team",
            "SELECT pg_reload_conf()",
        ):
            connection.execute(sqlalchemy.text(statement))
    engine.dispose()
    url = database_url(folder, "team", "team").set(drivername="postgresql", password=TEAM)
    return url.render_as_string(hide_password=False)


def test_beyond_loopback_a_password_is_required(folder, tmp_path):
    port = free_port()
    words = ("server", "--host", "0.0.0.0", "--port", str(port))
    for given in ({}, {"MLFLOW_AUTH_ADMIN_PASSWORD": "too short"}):
        refused = run_dvcview(tmp_path, *words, DVCVIEW_POSTGRES=str(folder), **given)
        assert (refused.returncode, refused.stdout) == (2, "")
        (line,) = refused.stderr.splitlines()
        assert "set MLFLOW_AUTH_ADMIN_PASSWORD to at least 12 characters" in line
        assert "too short" not in line
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)


def test_with_a_password_only_who_has_it_gets_in(team_address, tmp_path, writers):
    given = {"DVCVIEW_DATABASE": team_address, "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN}
    with Server(tmp_path, host="0.0.0.0", **given) as server:
        search = "/api/2.0/mlflow/experiments/search?max_results=1"
        right, wrong = (
            {"Authorization": "Basic " + base64.b64encode(f"admin:{word}".encode()).decode()}
            for word in (ADMIN, "password1234")
        )
        for path in (
            "/", search, "/signup", "/version", "/api/2.0/mlflow-artifacts/artifacts",
            "/ajax-api/3.0/jobs/1", "/ajax-api/3.0/mlflow/assistant/config",
        ):  # fmt: skip
            assert server.status(path) == 401, path
        assert server.status("/graphql", b"{}") == 401
        assert server.status(search, **wrong) == 401
        assert server.status(search, **right) == 200

        # A member writes into an experiment that somebody else has made.
        made = json.dumps({"name": EXPERIMENT}).encode()
        user = json.dumps({"username": "member", "password": MEMBER}).encode()
        assert server.status("/api/2.0/mlflow/experiments/create", made, **right, **JSON) == 200
        assert server.status("/api/2.0/mlflow/users/create", user, **JSON) == 401
        assert server.status("/api/2.0/mlflow/users/create", user, **right, **JSON) == 200
        known = {"MLFLOW_TRACKING_USERNAME": "member", "MLFLOW_TRACKING_PASSWORD": MEMBER}
        process, output = writers("member", 2, to=server, **known)
        assert process.wait(600) == 0, output.read_text()
        assert "again" not in output.read_text()

        for process in psutil.process_iter(["cmdline"]):
            words = " ".join(process.info["cmdline"] or ())
            assert ADMIN not in words
            assert TEAM not in words
            assert team_address not in words
    private = tmp_path / ".dvcview" / "server"
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in private.iterdir()}
    assert modes == {"auth.ini": 0o600, "secret_key": 0o600}
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    said = (tmp_path / "server.log").read_text()
    assert ADMIN not in said
    assert TEAM not in said


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("postgresql://anna:gehe1m@127.0.0.1:1/x", "Connection refused"),
        ("postgresql://anna:ge@he1m@127.0.0.1:1/x", "is not a valid address"),
        ("postgresql://anna:x@127.0.0.1:gehe1m/x", "is not a valid address"),
        ("mysql://anna:gehe1m@127.0.0.1:1/x", "an address of mysql"),
        ("gehe1m", "is not a valid address"),
    ],
)
def test_a_bad_database_is_one_line_without_its_password(given, says, refused, monkeypatch):
    monkeypatch.setenv("DVCVIEW_DATABASE", given)
    line = refused("server", "--port", str(free_port()))
    assert says in line
    assert "he1m" not in line


def test_a_busy_port_is_one_line(refused):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"port {port}: Address already in use" in refused("server", "--port", port)
    assert "allowed: 1 to 65535" in refused("server", "--port", "70000")


def test_no_postgresql_is_one_line(refused, monkeypatch, tmp_path):
    assert "run `dvcview database start`" in refused("server", "--port", str(free_port()))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(cluster, "DEBIAN", tmp_path)
    assert "Debian, Ubuntu: postgresql" in refused("database", "start")


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Call `dvcview` in this process, to save its start; it has to refuse in one line."""
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("DVCVIEW_DATABASE", "DVCVIEW_POSTGRES", "MLFLOW_AUTH_ADMIN_PASSWORD"):
        monkeypatch.delenv(name, raising=False)

    def call(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["dvcview", *words])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        said = capsys.readouterr()
        assert (stopped.value.code, said.out) == (2, "")
        (line,) = said.err.splitlines()
        return line

    return call


def test_the_database_starts_again_after_it_was_killed(tmp_path):
    with database() as folder:
        address = {"DVCVIEW_POSTGRES": str(folder)}
        again = run_dvcview(tmp_path, "database", "start", **address)
        assert again.returncode == 0, again.stderr
        postmaster = psutil.Process(
            int((folder / "data" / "postmaster.pid").read_text().split()[0])
        )
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            process.send_signal(signal.SIGKILL)
        psutil.wait_procs(processes, timeout=30)
        assert run_dvcview(tmp_path, "database", "start", **address).returncode == 0
        assert "has stopped" in run_dvcview(tmp_path, "database", "stop", **address).stdout
        assert "is not running" in run_dvcview(tmp_path, "database", "stop", **address).stdout
        # Nobody else on the machine can reach it: the folder is closed, and there is no port.
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert "listen_addresses = ''" in (folder / "data" / "postgresql.conf").read_text()
