"""Reads lectures.yaml for the report: the printed figures, and the claims with their tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvcview.files.yaml_files import read_yaml

PHOTO_LECTURES = ("03", "05", "40")


@dataclass(frozen=True)
class EarlierTest:
    """A test that another one replaced: the verdict that it gave, and the reason."""

    test: str
    verdict: str
    reason: str


@dataclass(frozen=True)
class Claim:
    """A claim of a lecture, in our words, and the test that would confirm or refute it.

    `history` has the earlier tests, oldest first.
    """

    id: str
    says: str
    test: str
    history: tuple[EarlierTest, ...]


@dataclass(frozen=True)
class Lecture:
    """One lecture.

    `printed` holds the lecture's figures by stage, metric and epoch (counted from 1). `seconds`
    holds the printed duration of each epoch by stage and epoch, and `total_seconds` that of the
    whole training by stage. All three contain only the stages that have such values. `names` holds
    the names of the runs by stage.
    """

    title: str
    printed: Mapping[str, Mapping[str, Mapping[int, float]]]
    seconds: Mapping[str, Mapping[int, float]]
    total_seconds: Mapping[str, float]
    names: Mapping[str, str]
    claims: tuple[Claim, ...]

    @property
    def number(self) -> str:
        """The lecture's number with two digits, as in the ids of its claims."""
        return self.title.split()[1]

    @property
    def data(self) -> str:
        """The data set that the lecture uses, "digits" or "photos"."""
        return "photos" if self.number in PHOTO_LECTURES else "digits"


def read_lectures(path: Path) -> list[Lecture]:
    """The lectures in their order. Other experiments, such as the images, are left out."""
    lectures = []
    for entry in read_yaml(path):
        if entry["experiment"].startswith("Lecture"):
            stages = entry["stages"]
            lectures.append(
                Lecture(
                    entry["experiment"],
                    _values_by_stage(stages, "figures"),
                    _values_by_stage(stages, "seconds"),
                    _values_by_stage(stages, "total_seconds"),
                    {name: stage["run"] for name, stage in stages.items()},
                    tuple(
                        Claim(
                            name,
                            claim["says"],
                            claim["test"],
                            tuple(EarlierTest(**earlier) for earlier in claim.get("history", [])),
                        )
                        for name, claim in entry.get("claims", {}).items()
                    ),
                )
            )
    return lectures


def printed_figures(lectures: Iterable[Lecture]) -> dict[str, Mapping[str, Mapping[int, float]]]:
    """The figures that the lectures print, by stage, metric and epoch (counted from 1)."""
    return {stage: figures for one in lectures for stage, figures in one.printed.items()}


def _values_by_stage(stages: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The values of `key` by stage, for the stages that have it."""
    return {name: stage[key] for name, stage in stages.items() if key in stage}
