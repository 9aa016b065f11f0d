"""lectures.yaml as the ledger reads it: the printed figures, and the claims with their tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dvcview.files.artifacts import read_yaml


@dataclass(frozen=True)
class Claim:
    """What a lecture claims, in our words, and what would confirm or refute it.

    `amended` says why the test is another than before its experiment was first run; or nothing.
    """

    id: str
    says: str
    test: str
    amended: str


@dataclass(frozen=True)
class Lecture:
    """One lecture; `printed` are its figures by stage, metric and epoch (counted from 1), `seconds`
    what it says an epoch takes, each of those stages that have some."""

    title: str
    printed: Mapping[str, Mapping[str, Mapping[int, float]]]
    seconds: Mapping[str, float]
    names: Mapping[str, str]  # of the stages
    claims: tuple[Claim, ...]

    @property
    def number(self) -> str:
        """Of two digits, as in the ids of its claims."""
        return self.title.split()[1]


def read_lectures(path: Path) -> list[Lecture]:
    """The lectures in their order; what is no lecture, such as the images, is left out."""
    lectures = []
    for entry in read_yaml(path):
        if entry["experiment"].startswith("Lecture"):
            stages = entry["stages"]
            lectures.append(
                Lecture(
                    entry["experiment"],
                    {name: of["figures"] for name, of in stages.items() if "figures" in of},
                    {name: of["seconds"] for name, of in stages.items() if "seconds" in of},
                    {name: stage["run"] for name, stage in stages.items()},
                    tuple(
                        Claim(name, claim["says"], claim["test"], claim.get("amended", ""))
                        for name, claim in entry.get("claims", {}).items()
                    ),
                )
            )
    return lectures
