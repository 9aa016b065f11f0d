"""`dvcview` as a package: its metadata, and its example where nothing else is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from ruamel.yaml import YAML

from dvcview.project.config import Config, read_config
from dvcview.tracking.displays import Displays
from tests.imports import ROOT, SOURCE

PACKAGE = SOURCE / "dvcview"
METADATA = tomllib.loads((PACKAGE / "pyproject.toml").read_text())
COURSE = tomllib.loads((ROOT / "pyproject.toml").read_text())
README = (PACKAGE / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The README's blocks of code in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_every_folder_is_a_package_of_the_wheel():
    found = {"dvcview", *(f"dvcview.{init.parent.name}" for init in PACKAGE.glob("*/__init__.py"))}
    assert set(METADATA["tool"]["setuptools"]["packages"]) == found


def test_the_course_installs_what_dvcview_needs():
    assert set(METADATA["project"]["dependencies"]) <= set(COURSE["project"]["dependencies"])
    server = METADATA["project"]["optional-dependencies"]["server"]
    assert server == COURSE["project"]["optional-dependencies"]["server"]
    assert METADATA["project"]["version"] == COURSE["project"]["version"]
    command = METADATA["project"]["scripts"]
    assert command["dvcview"] == COURSE["project"]["scripts"]["dvcview"]


def test_the_readme_explains_every_key_of_the_configuration(tmp_path):
    _, config, experiments = blocks("yaml")
    assert list(YAML(typ="safe").load(config)) == [key.name for key in fields(Config)]
    (tmp_path / "dvcview.yaml").write_text(config)
    (tmp_path / "experiments.yaml").write_text(experiments)
    found = read_config(tmp_path)
    assert found.name == "my project"
    display = Displays(tmp_path, found)["fit"]
    assert (display.run_name, display.references) == ("gradient descent", {"loss": {4: 0.0625}})


def shell(command: str, folder: Path, environment: Path) -> str:
    """What a command prints in a folder, with the programs of one environment only."""
    outside = ("PYTHON", "VIRTUAL_ENV", "MLFLOW_", "DVC_", "DVCVIEW_", "GIT_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(outside)}
    here = str(Path(sys.executable).parent)
    others = [one for one in kept["PATH"].split(os.pathsep) if one != here]
    done = subprocess.run(
        ["sh", "-ec", command], cwd=folder, text=True, check=False,
        env={**kept, "PATH": os.pathsep.join([str(environment / "bin"), *others])},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """An environment with the wheel, and with the locked versions of what the wheel needs."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(PACKAGE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    environment = folder / "environment"
    uv("build", "--wheel", "--out-dir", folder, folder / "source")
    uv("venv", "--python", sys.executable, environment)
    constraints = ("--constraints", ROOT / "requirements.lock")
    (wheel,) = folder.glob("*.whl")
    uv("pip", "install", "--python", environment, *constraints, wheel)
    return environment


def uv(*words: object) -> None:
    program = Path(sys.executable).with_name("uv")
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def runs(root: Path, copy: Path) -> tuple[MlflowClient, list[Run]]:
    """The runs of the project, read from a copy, because MLflow keeps the file open."""
    client = MlflowClient(f"sqlite:///{shutil.copy(root / 'mlflow.db', copy)}")
    experiment = client.get_experiment_by_name(root.name)
    return client, list(client.search_runs([experiment.experiment_id]))


@pytest.mark.full
def test_the_readme_s_example_works_where_only_the_wheel_is_installed(tmp_path, environment):
    absent = "torch torchvision skimage dlvc"
    program = f"from importlib.util import find_spec as f; print(*map(f, '{absent}'.split()))"
    assert set(shell(f'python -c "{program}"', tmp_path, environment).split()) == {"None"}

    root = tmp_path / "example"
    root.mkdir()
    fit, live = blocks("python")
    (root / "fit.py").write_text(fit)
    (root / "dvc.yaml").write_text(blocks("yaml")[0])
    _, commands = blocks("sh")
    *commands, server = commands.splitlines()
    assert server == "dvcview ui"
    said = shell("\n".join(commands), root, environment)
    assert "shows the state of dvc.lock: built the runs of fit." in said
    assert shell("dvcview sync", root, environment) == "MLflow shows the state of dvc.lock.\n"
    client, (run,) = runs(root, tmp_path / "synced.db")
    assert (run.info.status, run.data.metrics["loss"]) == ("FINISHED", 0.0625)
    points = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in points] == [(n, 0.5**n) for n in range(5)]

    shell("rm mlflow.db; dvcview sync", root, environment)
    client, (again,) = runs(root, tmp_path / "again.db")
    assert again.data.metrics == run.data.metrics
    assert again.info.run_id != run.info.run_id
    assert run.info.run_name in shell("dvcview which metrics.json", root, environment)
    assert "intact" in shell("dvcview verify", root, environment)

    # With the lines that let a stage be watched, the run is of a process.
    (root / "fit.py").write_text(fit + live)
    shell("dvcview run", root, environment)
    client, (newest, _) = runs(root, tmp_path / "live.db")
    assert newest.data.tags["mlflow.parentRunId"]
    assert len(client.get_metric_history(newest.info.run_id, "loss")) == 1000
