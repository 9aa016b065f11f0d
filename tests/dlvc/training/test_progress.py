"""Which epochs a training prints."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from dlvc.training.progress import VERBOSE, print_epochs


class Epoch(SimpleNamespace):
    """As much of an `EpochResult` as is printed."""

    def __str__(self) -> str:
        return str(self.epoch)


@pytest.mark.parametrize(
    ("epochs", "terminal", "verbose", "printed"),
    [
        (25, False, False, "1 10 20 25"),
        (10, False, False, "1 10"),
        (1, False, False, "1"),
        (25, True, False, "25"),
        (4, False, True, "1 2 3 4"),
        (4, True, True, "1 2 3 4"),
    ],
)
def test_few_epochs_are_printed_unless_asked_for(
    epochs, terminal, verbose, printed, monkeypatch, capsys
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    monkeypatch.delenv(VERBOSE, raising=False)
    if verbose:
        monkeypatch.setenv(VERBOSE, "1")
    seen = []
    results = [Epoch(epoch=number + 1) for number in range(epochs)]
    assert print_epochs(iter(results), epochs, seen.append) == results == seen
    assert capsys.readouterr().out.split() == printed.split()
