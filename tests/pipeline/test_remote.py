"""A remote: push, pull into a clean clone, and what happens to an object that went bad there."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from tests.pipeline.project import Project

pytestmark = pytest.mark.full

STAGE = "lenet"
PICTURE = "results/lenet/conv1.npy"
BUCKET = "course"
# Anybody's: the server on loopback takes all. They stand in no file.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


class Server:
    """An S3-compatible server on loopback, with one bucket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.client = boto3.client(
            "s3", endpoint_url=address,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
        )  # fmt: skip

    def read(self, name: str) -> bytes:
        return self.client.get_object(Bucket=BUCKET, Key=name)["Body"].read()

    def write(self, name: str, content: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=name, Body=content)

    def delete(self, name: str) -> None:
        self.client.delete_object(Bucket=BUCKET, Key=name)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("server") / "log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=log, stderr=log,
    )  # fmt: skip
    server = Server(f"http://127.0.0.1:{port}")
    until = time.monotonic() + 60
    while True:
        try:
            server.client.create_bucket(Bucket=BUCKET)
            break
        except EndpointConnectionError:
            assert time.monotonic() < until, Path(log.name).read_text()
            time.sleep(0.3)
    yield server
    process.terminate()
    process.wait(timeout=30)
    log.close()


class Remote:
    """A remote of either kind: how a user adds it, and the bytes that lie there."""

    def __init__(self, folder: Path, server: Server | None) -> None:
        self.folder = folder
        self.server = server
        self.prefix = folder.parent.name  # a test finds nothing of another's

    def add(self, project: Project) -> None:
        """As README says; what belongs to one machine goes into the local configuration."""
        if self.server is None:
            project.dvc("remote", "add", "--default", "store", str(self.folder))
        else:
            project.dvc("remote", "add", "--default", "store", f"s3://{BUCKET}/{self.prefix}")
            self.set_up(project)
        project.dvc("remote", "modify", "store", "verify", "true")

    def set_up(self, project: Project) -> None:
        """What another clone needs, too."""
        if self.server is not None:
            words = ("store", "endpointurl", self.server.address)
            project.dvc("remote", "modify", "--local", *words)

    def corrupt(self, md5: str) -> None:
        """Other bytes, as many as before, under the same name."""
        if self.server is None:
            file = self.folder / self.name(md5)
            good = file.read_bytes()
            file.chmod(0o644)
            file.write_bytes(good[:300] + b"XXXX" + good[304:])
            file.chmod(0o444)  # DVC looks into a file that could be written to, verified or not
        else:
            good = self.server.read(self.name(md5))
            self.server.write(self.name(md5), good[:300] + b"XXXX" + good[304:])

    def delete(self, md5: str) -> None:
        if self.server is None:
            (self.folder / self.name(md5)).unlink()
        else:
            self.server.delete(self.name(md5))

    def name(self, md5: str) -> str:
        """Where the object lies: the README says so."""
        name = f"files/md5/{md5[:2]}/{md5[2:]}"
        return name if self.server is None else f"{self.prefix}/{name}"


@pytest.fixture(params=["folder", "s3"])
def remote(request, tmp_path) -> Remote:
    return Remote(
        tmp_path / "store", request.getfixturevalue("server") if request.param == "s3" else None
    )


@pytest.fixture
def pushed(clone, remote, monkeypatch) -> Iterator[Project]:
    """A project whose stage lenet, with what it needs, lies in the remote."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    local = clone.root / ".dvc/config.local"
    before = local.read_text(encoding="utf-8") if local.exists() else None
    remote.add(clone)
    clone.call("git", "commit", "--quiet", "--all", "--message", "a remote")
    assert "pushed" in clone.dvc("push", "--with-deps", STAGE).stdout
    yield clone
    clone.call("git", "reset", "--quiet", "--hard", "HEAD~1")
    local.unlink(missing_ok=True)
    if before is not None:
        local.write_text(before, encoding="utf-8")


def another_clone(project: Project, remote: Remote, root: Path) -> Project:
    project.call("git", "clone", "--quiet", str(project.root), str(root))
    other = Project(root)
    remote.set_up(other)
    return other


def md5_of(project: Project, name: str) -> str:
    return hashlib.md5((project.root / name).read_bytes(), usedforsecurity=False).hexdigest()


def test_what_was_pushed_comes_back_into_a_clean_clone(pushed, remote, tmp_path):
    other = another_clone(pushed, remote, tmp_path / "other")
    other.dvc("pull", "--with-deps", STAGE)
    assert other.dvc("status", "--with-deps", STAGE).stdout.strip() == (
        "Data and pipelines are up to date."
    )
    for name in (PICTURE, "results/lenet/weights.safetensors", "data/digits/train_images.npy"):
        assert md5_of(other, name) == md5_of(pushed, name)
    config = other.read(".dvc/config")
    assert "verify = true" in config
    assert not any(word in config for word in ("127.0.0.1", "key", "secret"))


def test_a_bad_object_is_refused_until_it_is_deleted_and_pushed_again(pushed, remote, tmp_path):
    md5 = md5_of(pushed, PICTURE)
    remote.corrupt(md5)

    trusting = another_clone(pushed, remote, tmp_path / "trusting")
    trusting.dvc("remote", "modify", "--local", "store", "verify", "false")
    trusting.dvc("pull", STAGE)
    assert md5_of(trusting, PICTURE) != md5  # what verification is for

    other = another_clone(pushed, remote, tmp_path / "other")
    pull = other.dvc("pull", STAGE, ok=False)
    assert pull.returncode != 0
    assert PICTURE in pull.stderr
    assert not (other.root / PICTURE).exists()

    remote.delete(md5)
    pushed.dvc("push", STAGE)
    other.dvc("pull", STAGE)
    assert md5_of(other, PICTURE) == md5
