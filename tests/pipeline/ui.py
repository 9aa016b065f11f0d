"""MLflow's real server on a store, as `make ui` starts it."""

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


@contextmanager
def served(store: str, folder: Path) -> Iterator[str]:
    """The address of a server of `store` (`sqlite:///.../mlflow.db`), which ends with the block.

    `folder` takes its log, which is what a failed start is explained by.
    """
    port = _free_port()
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    settings = {
        "MLFLOW_JOB_EXECUTION": "false",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}",
    }
    log = folder / "server.log"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
             "--backend-store-uri", store],
            cwd=folder, env={**kept, **settings}, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,  # its worker is a child, and ended with it
        )  # fmt: skip
        try:
            end = time.monotonic() + START
            while not _healthy(port):
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"no server:\n{log.read_text('utf-8')}")
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            for sign in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError):  # the whole group, also where its head is gone
                    os.killpg(process.pid, sign)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _healthy(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
