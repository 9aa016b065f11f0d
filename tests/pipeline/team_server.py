"""PostgreSQL and MLflow's server as real processes on loopback, started by our own commands."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from dvcview.server.postgres import DEBIAN, start_database, stop_database
from tests.imports import SOURCE
from tests.pipeline.mlflow_server import free_port
from tests.pipeline.project import Project

needs_postgresql = pytest.mark.skipif(
    not shutil.which("pg_ctl") and not any(DEBIAN.glob("*/bin/pg_ctl")),
    reason="PostgreSQL is not installed",
)
STARTS_WITHIN = 180  # seconds, on a slow and busy machine


@contextmanager
def database() -> Iterator[Path]:
    """The folder of a running cluster; give it to a `Server` as `DVCVIEW_POSTGRES`.

    Not in a folder of pytest's: only its owner may enter those, PostgreSQL runs as another user
    when the tests run as root, and their paths are too long for a socket.
    """
    above = Path(tempfile.mkdtemp(prefix="dlvc-"))
    above.chmod(0o755)
    folder = above / "postgres"
    try:
        start_database(folder)
        yield folder
    finally:
        stop_database(folder)
        shutil.rmtree(above)


class Server:
    """`dvcview server` in a project's folder; it makes `.dvcview/` and server.log there."""

    def __init__(self, root: Path, *, host: str = "127.0.0.1", **environment: str) -> None:
        self.root, self.host, self.port = root, host, free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.environment = Project(root).environment(PYTHONPATH=str(SOURCE), **environment)
        self._process: psutil.Popen | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start the server, unless it runs, and wait until it answers."""
        if self._process is not None:
            return
        (self.root / ".dvc").mkdir(exist_ok=True)
        with (self.root / "server.log").open("a", encoding="utf-8") as log:
            self._process = psutil.Popen(
                ["dvcview", "server", "--host", self.host, "--port", str(self.port)],
                cwd=self.root, env=self.environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + STARTS_WITHIN
        while self.status("/health") != 200:
            if self._process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise AssertionError((self.root / "server.log").read_text(encoding="utf-8"))
            time.sleep(0.2)

    def kill(self) -> None:
        """`kill -9` of the server and of its children at once, as when the machine goes down."""
        if self._process is None:
            return
        processes = self.processes()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        psutil.wait_procs(processes, timeout=30)  # the port is free only when all are gone
        self._process = None

    def processes(self) -> list[psutil.Process]:
        """The server's processes."""
        assert self._process is not None
        try:
            return [self._process, *self._process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def status(self, path: str, data: bytes | None = None, **headers: str) -> int:
        """The status of the answer; 0 if there is none."""
        return self.ask(path, data, **headers)[0]

    def ask(self, path: str, data: bytes | None = None, **headers: str) -> tuple[int, str]:
        """The answer to a GET, or to a POST of `data`: its status and its text."""
        request = urllib.request.Request(self.uri + path, data, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""


def run_dvcview(root: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Call `dvcview` in a folder that is a project as far as it can tell."""
    (root / ".dvc").mkdir(exist_ok=True)
    return Project(root).call("dvcview", *words, ok=False, PYTHONPATH=str(SOURCE), **environment)
