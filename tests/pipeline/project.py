"""A copy of the project in a folder of its own, with the real dvc and a real MLflow store."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from ruamel.yaml import YAML

from dvcview.project.lockfile import Pipeline, StageState
from tests.checkout import listed_files
from tests.imports import ROOT

# Large enough to learn something, small enough for a test.
SMALL = {
    "runtime.threads": 1,  # two of these run at a time
    "data.digits.bundled.train": 2000,
    "data.digits.bundled.test": 500,
    "data.photos.bundled.train": 600,
    "data.photos.bundled.test": 200,
    "update_rules.per_epoch.epochs": 3,
    "update_rules.per_batch.epochs": 5,
    "update_rules.per_sample.epochs": 1,
    "optimizers.epochs": 3,
    "lenet.epochs": 8,
    "densenet.epochs": 3,  # after 2, batch normalization's running variances are too high
    "perceptron.seeds": 2,  # how many there are is a number: one stage with several is enough
    "update_rules.per_epoch.seeds": 1,
    "update_rules.per_batch.seeds": 1,
    "update_rules.per_sample.seeds": 1,
    "optimizers.seeds": 1,
    "lenet.seeds": 1,
    "claims.perceptron.epochs": 20,
    "claims.perceptron.seeds": 1,
    "claims.per_epoch.epochs": 20,
    "claims.per_sample.images": 300,
    "claims.per_sample.seeds": 1,
    "claims.batch_sizes.images": 300,
    "claims.momentum.images": 300,
    "claims.lenet.images": 100,
    "claims.lenet.epochs": 1,
    "claims.lenet_sgd.images": 100,
    "claims.lenet_sgd.epochs": 1,
    "claims.lenet_sgd.seeds": 2,
    "claims.resnet.images": 64,
    "claims.resnet.epochs": 1,
    "costs.image_size": 32,
}


CACHE = ".dvc/cache"


def project_files() -> list[Path]:
    """What git would commit now, without tests, and without the docs that no stage reads."""
    names = listed_files(".", ":!tests", ":!docs")
    names += listed_files("docs/gpu", "docs/laptop/README.md")  # which the report reads, or names
    return [ROOT / name for name in names]


def link_or_copy(source: str, target: str) -> None:
    """Make a hard link, or a copy where the file system does not allow a link."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


class Started(subprocess.Popen[bytes]):
    """A program that runs; what it says goes to a file (a pipe that nobody reads would stop it)."""

    def __init__(self, words: Sequence[str], root: Path, environment: Mapping[str, str]) -> None:
        said, self._said = tempfile.mkstemp(dir=root.parent, prefix="said-")
        super().__init__(
            words, cwd=root, env=environment, stdin=subprocess.DEVNULL,
            stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        os.close(said)

    def text(self) -> str:
        """What it has said so far."""
        return Path(self._said).read_text(encoding="utf-8")

    def said(self, timeout: float = 1800) -> str:
        """What it said, once it has ended."""
        self.wait(timeout)
        return self.text()


class Project:
    """What a user has after `git clone`: a folder, a shell, nothing in the environment."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def copy(cls, root: Path, params: Mapping[str, Any]) -> Project:
        """What git would commit now, without tests and docs, with other parameters."""
        for file in project_files():
            copy = root / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)
        for name in (ROOT / "src").rglob("__pycache__/*.nb?"):  # what Numba has compiled
            kept = root / name.relative_to(ROOT)
            kept.parent.mkdir(exist_ok=True)
            shutil.copy2(name, kept)
        # The committed lock speaks of other parameters; without it every stage is new.
        (root / "dvc.lock").unlink(missing_ok=True)
        project = cls(root)
        project.set(params)
        project.call("git", "init", "--quiet", "--initial-branch=main")
        project.commit("a copy")
        return project

    def clone(self, root: Path) -> Project:
        """`git clone`, with the state after the last run committed, which a run leaves to us."""
        self.call("git", "clone", "--quiet", str(self.root), str(root))
        for name in ("dvc.lock", *self.call("git", "ls-files", "results", "report").stdout.split()):
            shutil.copy2(self.root / name, root / name)
        project = Project(root)
        project.commit("the course has run")
        return project

    def commit(self, message: str) -> None:
        """Commit everything, as somebody."""
        self.call("git", "config", "user.name", "test")
        self.call("git", "config", "user.email", "test@example.invalid")
        self.call("git", "add", "--all")
        self.call("git", "commit", "--quiet", "--allow-empty", "--message", message)

    def set(self, params: Mapping[str, Any]) -> None:
        """Edit params.yaml, as a teacher would, comments kept."""
        yaml = YAML()
        content = yaml.load(self.root / "params.yaml")
        for key, value in params.items():
            *path, last = key.split(".")
            section = content
            for part in path:
                section = section[part]
            section[last] = value
        yaml.dump(content, self.root / "params.yaml")

    def call(
        self, *words: str, ok: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the project's folder; with `ok` it has to succeed."""
        done = subprocess.run(
            words, cwd=self.root, env=self.environment(**environment),
            capture_output=True, text=True, timeout=3600, check=False,
        )  # fmt: skip
        assert not ok or done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done

    def dvc(
        self, *words: str, ok: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run dvc."""
        return self.call("dvc", *words, ok=ok, **environment)

    def environment(self, **more: str) -> dict[str, str]:
        """Ours without what would point to another project or another store."""
        foreign = ("MLFLOW_", "DVC_", "DVCVIEW_", "DLVC_", "GIT_")
        kept = {name: v for name, v in os.environ.items() if not name.startswith(foreign)}
        programs = Path(sys.executable).parent
        return {
            **kept,
            "PATH": f"{programs}{os.pathsep}{kept.get('PATH', '')}",
            "PYTHONPATH": "src",
            "DLVC_VERBOSE": "1",  # tests that interrupt a training look at its epochs
            **more,
        }

    def start(self, *words: str, **environment: str) -> Started:
        """Start a program in the project's folder, as the leader of a group of processes."""
        return Started(words, self.root, self.environment(**environment))

    def sync(self, **environment: str) -> str:
        """Call `dvcview sync`, and return what it printed."""
        return self.call("dvcview", "sync", **environment).stdout

    def duplicate(self, root: Path) -> Project:
        """This project with all that has run in it, elsewhere; its old artifacts stay.

        The copy shares DVC's cache by hard links where the file system allows them. DVC replaces
        the files of its cache and never writes into them. No process may write into the MLflow
        store during the copy.
        """
        self.wait_for(lambda: not self.processes("dvcview.tracking.recorder"))
        ignored = shutil.ignore_patterns("mlruns", ".dlvc", ".dvcview", "__pycache__", "cache")
        shutil.copytree(self.root, root, ignore=ignored, dirs_exist_ok=True)
        shutil.copytree(self.root / CACHE, root / CACHE, copy_function=link_or_copy)
        return Project(root)

    def processes(self, module: str | None = None) -> list[psutil.Process]:
        """Those that work in its folder, or those of them that run a module."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):  # it has just ended
                if process.cwd() == str(self.root) and process.status() != psutil.STATUS_ZOMBIE:
                    found += [process] if module is None or module in process.cmdline() else []
        return found

    def kill(self, module: str | None = None) -> None:
        """Kill all of these."""
        for process in self.processes(module):
            with suppress(psutil.Error):
                process.kill()

    def executions(self) -> list[Path]:
        """Those that have something to deliver."""
        return list((self.root / ".dvcview/executions").glob("*"))

    def forget(self) -> None:
        """Delete the MLflow store, as README says."""
        (self.root / "mlflow.db").unlink(missing_ok=True)
        shutil.rmtree(self.root / "mlruns", ignore_errors=True)

    @property
    def client(self) -> MlflowClient:
        """Its MLflow store.

        MLflow keeps the connections of a process open. Without NullPool, a client would go on
        reading a database that `forget` has deleted.
        """
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
            return MlflowClient(f"sqlite:///{self.root / 'mlflow.db'}")

    def runs(self, stage: str, client: MlflowClient | None = None) -> list[Run]:
        """The runs of a stage, oldest first."""
        client = client or self.client
        everywhere = [found.experiment_id for found in client.search_experiments()]
        return list(
            client.search_runs(
                everywhere, f"tags.stage = '{stage}'", order_by=["attributes.start_time"]
            )
        )

    def states(self) -> dict[str, StageState]:
        """What dvc.lock says."""
        return Pipeline(self.root, self.root, None).states()

    def read(self, name: str) -> str:
        """The text of a file."""
        return (self.root / name).read_text(encoding="utf-8")

    def wait_for(self, condition: Callable[[], bool], seconds: float = 600) -> None:
        """Wait until something has come true."""
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "it did not come true"
            time.sleep(0.2)
