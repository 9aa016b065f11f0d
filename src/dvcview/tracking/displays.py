"""How each stage appears in MLflow: its experiment, the name of its run, and reference values.

The file that dvcview.yaml names as `experiments` is a list:

    - experiment: Lecture 29 LeNet
      about: the description of the experiment
      stages:
        lenet:
          run: LeNet
          about: the description of the run
          figures:            # optional: published values, by metric and epoch
            test_accuracy: {1: 0.8815, 2: 0.9177}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dvcview.files.artifacts import read_yaml
from dvcview.project.config import read_config
from dvcview.tracking.saved_view import COLOURS, VIEW_TAG, comparison, view_link


@dataclass(frozen=True)
class Experiment:
    """An experiment, with a saved view if its stages have published values."""

    name: str
    about: str
    loss: str | None = None  # the loss that has published values

    def tags(self, experiment_id: str | None = None) -> dict[str, str]:
        """The description, and the saved view with a link to it once the experiment has an id."""
        if self.loss is None:
            return {"mlflow.note.content": self.about}
        link = f"\n\n[The charts]({view_link(experiment_id)})" if experiment_id else ""
        return {"mlflow.note.content": self.about + link, VIEW_TAG: comparison(self.loss)}


@dataclass(frozen=True)
class StageDisplay:
    """How the runs of one stage appear."""

    experiment: Experiment
    run_name: str
    about: str = ""
    colour: str = COLOURS[0]
    references: Mapping[str, Mapping[int, float]] = field(default_factory=dict)  # metric, epoch


def read_displays(root: Path) -> dict[str, StageDisplay]:
    """The display of each stage that the experiments file names."""
    displays: dict[str, StageDisplay] = {}
    file = read_config(root).experiments
    for entry in read_yaml(root / file) if file else ():
        stages = entry["stages"]
        metrics = {name for stage in stages.values() for name in stage.get("figures", {})}
        losses = sorted((name for name in metrics if "loss" in name), key=len, reverse=True)
        experiment = Experiment(
            entry["experiment"], entry["about"].strip(), losses[0] if losses else None
        )
        for number, (stage, display) in enumerate(stages.items()):
            colour = COLOURS[number % len(COLOURS)]
            references = display.get("figures", {})
            displays[stage] = StageDisplay(
                experiment, display["run"], display["about"], colour, references
            )
    return displays


def display_of(displays: Mapping[str, StageDisplay], stage: str) -> StageDisplay:
    """The display of a stage. A stage that the file does not name gives its name to its run."""
    other = Experiment("Other stages", "Stages that the experiments file does not name.")
    return displays.get(stage, StageDisplay(other, stage))
