"""The commands of README, one after the other in one shell, in a fresh clone."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import urllib.request

import pytest

from tests.imports import ROOT
from tests.pipeline.project import SMALL, Project

PROGRAMS = ("make", "dvc", "source", "dvcview", "dlvc")
# `make ui` runs until Ctrl-C (below), and the tests do not run themselves.
ELSEWHERE = ("make ui", "make test", "make test-full")
LONG = ("make run P", "make bench", "make stress")  # hours, or the lectures' data
# In place of the published run, whose LeNet takes minutes, this publishes the small run.
PUBLISH = "cp params.yaml dvc.lock docs/laptop; git rev-parse HEAD > docs/laptop/commit.txt"


def commands() -> list[str]:
    """The commands in README's blocks, then those within its sentences."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```\n(.*?)```", text, re.DOTALL)
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    sentences = re.findall(r"(?<!`)`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    found = [line for line in (*lines, *sentences) if line.split()[:1] and " " in line]
    return list(dict.fromkeys(line for line in found if line.split()[0] in PROGRAMS))


def test_the_commands_are_found():
    found = commands()
    assert {"make run", "make verify", "source .venv/bin/activate", "dvc repro lenet"} <= set(found)
    assert any(command.startswith("dvc exp run -n slow") for command in found)
    assert any(command.startswith("dvcview which ") for command in found)


@pytest.mark.full
def test_the_commands_of_readme_work_as_they_stand(tmp_path):
    project = Project.copy(tmp_path / "dlvc", SMALL)
    (project.root / ".venv").symlink_to(sys.prefix)
    script = ["set -euo pipefail"]
    for command in commands():
        if command.startswith("make repeat"):
            script.append(PUBLISH)
        if command not in ELSEWHERE and not command.startswith(LONG):
            script += [f"echo '$ {command}'", command]
    # A terminal of the user: no environment is active before `source` says so.
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": "", "BROWSER": "true"}
    done = project.call("bash", "-c", "\n".join(script), **environment)
    assert "$ dvc exp show" in done.stdout
    assert (project.root / "report/index.html").exists()
    assert "lenet: results/lenet/seeds.csv: the same bytes" in done.stdout
    assert "run:" in done.stdout.partition("$ dvcview which")[2]


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False


@pytest.mark.full
def test_make_ui_serves_mlflow_until_ctrl_c(done, port):
    (done.root / ".venv").symlink_to(sys.prefix)
    for name in ("json.py", "mlflow.py"):  # they replace no module
        (done.root / name).write_text("raise SystemExit('the file of the project')")
    server = done.start("make", "ui", f"PORT={port}")
    done.wait_for(lambda: answers(port))
    os.killpg(server.pid, signal.SIGINT)
    address = f"MLflow: http://127.0.0.1:{port}/#/experiments (Ctrl-C stops it)\n"
    before, found, after = server.said(60).partition(address)
    # No log of the request, and no warning of a library. `make` may say that it was interrupted
    # and, below another `make`, which folder it enters.
    assert found
    (moved,) = (line for line in before.splitlines() if not line.startswith("make"))
    assert moved.startswith("the project was moved or copied")
    assert [line for line in after.splitlines() if line and not line.startswith("make")] == []
    assert not answers(port)


@pytest.mark.full
def test_a_port_that_is_in_use_is_named_in_one_line(scratch, port):
    with socket.socket() as taken, socket.socket() as next_one:
        for number, each in enumerate((taken, next_one)):
            each.bind(("127.0.0.1", port + number))
            each.listen()
        found = scratch.call("dvcview", "ui", "--port", str(port), ok=False)
    assert found.returncode == 2
    free = int(found.stderr.rpartition("=")[2].rstrip(")\n"))
    assert free > port + 1
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", free))
    assert found.stderr == (
        f"error: cannot listen on 127.0.0.1 port {port}: Address already in use; "
        f"port {free} is free: --port {free} (make: PORT={free})\n"
    )
