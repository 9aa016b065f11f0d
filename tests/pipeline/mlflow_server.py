"""MLflow's real server as a process on loopback, which can be killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

START = 120  # seconds; importing MLflow on a machine with other work is slow


class MLflowServer:
    """A server of the store in a SQLite file; `folder` takes its artifacts and its log."""

    def __init__(self, store: Path, folder: Path, port: int | None = None) -> None:
        self.store = store
        self.folder = folder
        self.port = port or free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        programs = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
        settings = {
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PATH": programs,
        }
        log = self.folder / "server.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                ["mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port),
                 "--workers", "1", "--backend-store-uri", f"sqlite:///{self.store}",
                 "--artifacts-destination", str(self.folder / "artifacts")],
                cwd=self.folder, env={**kept, **settings}, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,  # its worker is a child, and ended with it
            )  # fmt: skip
        until = time.monotonic() + START
        while not self._answers():
            assert self._process.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < until, log.read_text("utf-8")
            time.sleep(0.2)

    def kill(self) -> None:
        """As a power cut would: kill -9, the workers too."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=10)

    def _answers(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(store: Path, folder: Path, port: int | None = None) -> Iterator[MLflowServer]:
    """A running server, which ends with the block."""
    server = MLflowServer(store, folder, port)
    server.start()
    try:
        yield server
    finally:
        server.kill()
