"""Projects that are built once, by the worker that needs them first, and kept between runs."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Callable, Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.imports import ROOT
from tests.pipeline.project import Project, project_files
from tests.processor import processor

DAY = 24 * 3600  # seconds
ARITHMETIC = ("OMP_", "GOMP_", "ATEN_", "ONEDNN_", "DNNL_", "MKL_", "NUMBA_", "OPENBLAS_")


def shared_project(
    config: pytest.Config, name: str, params: Mapping[str, Any], build: Callable[[Project], object]
) -> Project:
    """A project with these parameters in which `build` has run. Tests must not change it.

    It lies in pytest's cache folder, under a digest of everything that its content depends on. A
    build that ends early leaves no project, and the next one begins anew. Projects that no session
    has asked for within a day are deleted.
    """
    folder = config.cache.mkdir(name)
    root = folder / digest(params)
    built = root.with_suffix(".built")
    with FileLock(folder / "lock"):
        if not built.exists():
            shutil.rmtree(root, ignore_errors=True)
            root.mkdir()
            build(Project.copy(root, params))
        built.touch()
        for old in folder.glob("*.built"):
            if old.stat().st_mtime < time.time() - DAY:
                shutil.rmtree(old.with_suffix(""), ignore_errors=True)
                old.unlink()
    return Project(root)


def digest(params: Mapping[str, Any]) -> str:
    """What a run depends on: its files and how it is started, parameters, packages, Python, the
    processor, variables of the environment, and this folder, whose path is in the MLflow store."""
    found = hashlib.sha256(json.dumps([*params.items()]).encode())
    variables = {k: v for k, v in os.environ.items() if k.startswith(ARITHMETIC)}
    found.update(json.dumps(variables, sort_keys=True).encode())
    here = Path(__file__).parent
    for file in [*project_files(), here / "conftest.py", here / "project.py"]:
        if file.suffix != ".md":
            found.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    packages = sorted(f"{package.name} {package.version}" for package in distributions())
    found.update("\n".join([*packages, platform.python_version(), processor(), str(ROOT)]).encode())
    return found.hexdigest()[:12]
