"""Something that is not as it should be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """A file, what is wrong with it, and the shell command that mends it."""

    file: str
    what: str
    repair: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}\n    {self.repair}"
