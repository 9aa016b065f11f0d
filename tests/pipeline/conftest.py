"""One small run of the whole course, which most tests of this folder look at."""

from __future__ import annotations

import pytest

from tests.pipeline.project import SMALL, Project


@pytest.fixture(scope="session")
def course(tmp_path_factory) -> Project:
    """The project after its first `dvc repro`; tests that change it change it back."""
    project = Project.copy(tmp_path_factory.mktemp("course"), SMALL)
    project.dvc("repro")
    project.sync()
    return project


@pytest.fixture
def done(course, tmp_path) -> Project:
    """A project in which the course has run and MLflow knows nothing: for tests that change it."""
    return course.clone(tmp_path / "done")


@pytest.fixture
def fresh(tmp_path) -> Project:
    """The project before anything has run."""
    return Project.copy(tmp_path, SMALL)
