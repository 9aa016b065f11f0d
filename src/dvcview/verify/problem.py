"""A problem that `verify` reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """A file, a description of its problem, and the shell command that repairs it."""

    file: str
    what: str
    repair: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}\n    {self.repair}"
