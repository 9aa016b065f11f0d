"""Fixtures for the tests of the rules."""

from __future__ import annotations

import pytest

from tests.dlvc.report.made_up import Made


@pytest.fixture
def made(tmp_path):
    """A folder for outs that are made up."""
    return Made(tmp_path)
