"""Is anybody there? Asked without MLflow, answered soon."""

from __future__ import annotations

import sqlite3
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from dvcview.tracking.address import TIMEOUT, tracking_uri, unreachable


@pytest.mark.parametrize("address", ["http://127.0.0.1:5000", "sqlite:////elsewhere/mlflow.db"])
def test_an_address_in_the_environment_is_taken(tmp_path, monkeypatch, address):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert tracking_uri(tmp_path) == address


def test_otherwise_the_store_is_at_the_projects_root(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_uri(tmp_path) == f"sqlite:///{tmp_path / 'mlflow.db'}"


def test_a_store_that_is_yet_to_be_made_is_no_problem(tmp_path):
    assert unreachable(f"sqlite:///{tmp_path / 'mlflow.db'}") is None
    assert "cannot be written" in unreachable(f"sqlite:///{tmp_path / 'nowhere/mlflow.db'}")


def test_a_store_that_somebody_locks_is_named(tmp_path):
    file = tmp_path / "mlflow.db"
    store = sqlite3.connect(file, isolation_level=None)
    assert unreachable(f"sqlite:///{file}") is None
    store.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    assert unreachable(f"sqlite:///{file}") == "mlflow.db: database is locked"
    assert time.monotonic() - began < TIMEOUT + 10  # a client that waits for it takes minutes
    store.close()


def test_a_file_that_is_no_store_is_named(tmp_path):
    (tmp_path / "mlflow.db").write_text("this is no database, and long enough to be none" * 30)
    assert "not a database" in unreachable(f"sqlite:///{tmp_path / 'mlflow.db'}")


class Answer(BaseHTTPRequestHandler):
    """Asks for a password."""

    def do_GET(self):
        self.send_response(401 if self.path == "/mlflow/health" else 500)
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.mark.parametrize("proxy", ["http://user:secret@127.0.0.1:9", "user:secret@127.0.0.1:9"])
def test_a_proxy_that_is_not_there_is_named(monkeypatch, proxy):
    monkeypatch.setattr(urllib.request, "_opener", None)  # it keeps the proxies of the first call
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, proxy)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    said = unreachable("http://mlflow.example.invalid:5000")
    assert said.endswith(
        " (through the proxy 127.0.0.1:9 of http_proxy; "
        "NO_PROXY=mlflow.example.invalid goes around it)"
    )
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert "proxy" not in unreachable("http://127.0.0.1:9")


def test_a_server_that_asks_for_a_password_is_there():
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert unreachable(f"http://me:secret@127.0.0.1:{server.server_port}/mlflow/") is None
        server.shutdown()


def test_a_server_that_is_not_there_is_named_without_its_password():
    reason = unreachable("http://me:secret@127.0.0.1:9")
    assert reason.startswith("http://***@127.0.0.1:9: ")
    assert "secret" not in reason
