"""lectures.yaml: which experiment and which name a stage's run has, and what its lecture prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dvcview.files.artifacts import read_yaml
from dvcview.tracking.saved_view import COLOURS, VIEW_TAG, comparison, view_link

SCALED_LOSS = "train_loss_lecture_scale"


@dataclass(frozen=True)
class Experiment:
    """A lecture as MLflow shows it."""

    name: str
    about: str
    loss: str | None = None  # the metric on the scale of the lecture's printed loss, if any

    def tags(self, experiment_id: str | None = None) -> dict[str, str]:
        """Description and charts; the link to the charts once the experiment has an id."""
        if self.loss is None:
            return {"mlflow.note.content": self.about}
        link = f"\n\n[The charts]({view_link(experiment_id)})" if experiment_id else ""
        return {"mlflow.note.content": self.about + link, VIEW_TAG: comparison(self.loss)}


@dataclass(frozen=True)
class Page:
    """How a stage is shown."""

    experiment: Experiment
    run_name: str
    about: str = ""
    colour: str = COLOURS[0]
    figures: Mapping[str, Mapping[int, float]] = field(default_factory=dict)  # by metric and epoch


def read_pages(root: Path) -> dict[str, Page]:
    """The pages by stage."""
    pages = {}
    for lecture in read_yaml(root / "lectures.yaml"):
        printed = {
            name for entry in lecture["stages"].values() for name in entry.get("figures", {})
        }
        loss = SCALED_LOSS if SCALED_LOSS in printed else "train_loss" if printed else None
        experiment = Experiment(lecture["experiment"], lecture["about"].strip(), loss)
        for number, (stage, entry) in enumerate(lecture["stages"].items()):
            colour = COLOURS[number % len(COLOURS)]
            figures = entry.get("figures", {})
            pages[stage] = Page(experiment, entry["run"], entry["about"], colour, figures)
    return pages


def page_of(pages: Mapping[str, Page], stage: str) -> Page:
    """A stage's page; one of its own name where lectures.yaml does not know it."""
    other = Experiment("Other stages", "Stages that lectures.yaml says nothing about.")
    return pages.get(stage, Page(other, stage))
