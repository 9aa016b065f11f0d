"""lectures.yaml: which experiment and which name a stage's run has, and what its lecture prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dlvc.params import read_yaml

OTHER = "Other stages"


@dataclass(frozen=True)
class Page:
    """How a stage is shown."""

    experiment: str
    experiment_about: str
    run_name: str
    about: str = ""
    figures: Mapping[str, Mapping[int, float]] = field(default_factory=dict)  # by metric and epoch


def read_pages(root: Path) -> dict[str, Page]:
    """The pages by stage."""
    pages = {}
    for lecture in read_yaml(root / "lectures.yaml"):
        for stage, entry in lecture["stages"].items():
            pages[stage] = Page(
                lecture["experiment"],
                lecture["about"].strip(),
                entry["run"],
                entry["about"],
                entry.get("figures", {}),
            )
    return pages


def page_of(pages: Mapping[str, Page], stage: str) -> Page:
    """A stage's page; one of its own name where lectures.yaml does not know it."""
    unknown = Page(OTHER, "Stages that lectures.yaml says nothing about.", stage)
    return pages.get(stage, unknown)
