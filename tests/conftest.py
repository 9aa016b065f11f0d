"""Surroundings that do not depend on how pytest was started, and the order of the tests."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from hypothesis import settings

from tests.processor import processor_name

FEW = 50  # examples of a property in `make test`
# The same examples on every machine, however long one takes there.
settings.register_profile("quick", deadline=None, database=None, derandomize=True, max_examples=FEW)
settings.register_profile("full", deadline=None, database=None, derandomize=True)
settings.load_profile("quick")


def pytest_configure() -> None:
    """Find the environment's programs without activation, and let tests interrupt what they start.

    A script's shell starts background commands with Ctrl-C ignored, and their children inherit it.
    """
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    """Name the processor whose bytes tests/pipeline/test_portable.py compares."""
    return f"processor: {processor_name()}"


def pytest_collection_modifyitems(items) -> None:
    """Put the small course first: one worker builds it while the other runs unit tests."""
    items.sort(key=lambda item: "course" not in item.fixturenames)
