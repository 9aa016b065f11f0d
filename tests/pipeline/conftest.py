"""One small run of the whole course, which most tests of this folder look at."""

from __future__ import annotations

import shutil

import pytest

from tests.pipeline.project import CACHE, SMALL, Project, link_or_copy
from tests.pipeline.shared import shared_project


@pytest.fixture(scope="session")
def course(pytestconfig) -> Project:
    """The project after its first `dvc repro`; nobody changes it."""

    def run(project: Project) -> None:
        project.dvc("repro")
        project.sync()

    return shared_project(pytestconfig, "course", SMALL, run)


@pytest.fixture
def done(course, tmp_path) -> Project:
    """A project in which the course has run, in DVC and in MLflow: for tests that change it."""
    return course.duplicate(tmp_path / "done")


@pytest.fixture(scope="session")
def scratch(course, tmp_path_factory) -> Project:
    """The same for all; tests that change it change it back."""
    return course.duplicate(tmp_path_factory.mktemp("scratch") / "dlvc")


@pytest.fixture
def fresh(tmp_path) -> Project:
    """The project before anything has run."""
    return Project.copy(tmp_path, SMALL)


@pytest.fixture(scope="session")
def clone(course, tmp_path_factory) -> Project:
    """A clone with all outs; tests that change it change it back."""
    project = course.clone(tmp_path_factory.mktemp("clone") / "dlvc")
    shutil.copytree(course.root / CACHE, project.root / CACHE, copy_function=link_or_copy)
    project.dvc("checkout")
    return project


@pytest.fixture
def bare_clone(course, tmp_path) -> Project:
    """A clone and no more: dvc.lock knows every out, the cache is empty."""
    return course.clone(tmp_path / "dlvc")
