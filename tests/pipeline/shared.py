"""Projects that are built once, by the worker that needs them first, and kept between runs."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Callable, Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.imports import ROOT
from tests.pipeline.project import Project, project_files


def shared_project(
    config: pytest.Config, name: str, params: Mapping[str, Any], build: Callable[[Project], object]
) -> Project:
    """A project with these parameters in which `build` has run. Tests must not change it.

    It lies in pytest's cache folder, under a digest of everything that its content depends on. A
    build that ends early leaves no project, and the next one begins anew.
    """
    folder = config.cache.mkdir(name)
    root = folder / digest(params)
    built = root.with_suffix(".built")
    with FileLock(folder / "lock"):
        if not built.exists():
            for old in folder.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
                elif old.suffix == ".built":
                    old.unlink()
            root.mkdir()
            build(Project.copy(root, params))
            built.touch()
    return Project(root)


def digest(params: Mapping[str, Any]) -> str:
    """What a run depends on: files, parameters, packages, Python, the processor, and this folder,
    whose path stands in the MLflow store."""
    found = hashlib.sha256(json.dumps([*params.items()]).encode())
    for file in project_files():
        if file.suffix != ".md":
            found.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    packages = sorted(f"{package.name} {package.version}" for package in distributions())
    found.update("\n".join([*packages, platform.python_version(), processor(), str(ROOT)]).encode())
    return found.hexdigest()[:12]


def processor() -> str:
    """The kind of processor and its instructions, where Linux tells."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.exists() else []
    return "\n".join(sorted({line for line in lines if line.startswith(("model", "flags"))}))
