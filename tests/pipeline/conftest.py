"""One small run of the whole course, which most tests of this folder look at."""

from __future__ import annotations

import pytest

from tests.pipeline.project import SMALL, Project


@pytest.fixture(scope="session")
def course(tmp_path_factory) -> Project:
    """The project after its first `dvc repro`; tests that change it change it back."""
    project = Project.copy(tmp_path_factory.mktemp("course"), SMALL)
    project.dvc("repro")
    return project


@pytest.fixture
def fresh(tmp_path) -> Project:
    """The project before anything has run."""
    return Project.copy(tmp_path, SMALL)
