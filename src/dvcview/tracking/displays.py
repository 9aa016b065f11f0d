"""How each stage appears in MLflow: its experiment, the name of its run, and reference values.

The file that dvcview.yaml names as `experiments` is a list:

    - experiment: Lecture 29 LeNet
      about: the description of the experiment
      stages:
        lenet:
          run: LeNet          # optional: the name of the run
          about: the description of the run
          figures:            # optional: published values, by metric and step
            test_accuracy: {1: 0.8815, 2: 0.9177}

Other keys of an entry are ignored. All stages that no entry names share one experiment, which has
the project's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dvcview.errors import UserError, truncate
from dvcview.files.yaml_files import read_yaml
from dvcview.project.config import Config

# MLflow derives colours from run ids and can give two runs the same. These four, of Okabe and Ito
# (2008), are distinct for colour-blind readers.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
References = Mapping[str, Mapping[int, float]]  # published values, by metric and step


@dataclass(frozen=True)
class Experiment:
    """An experiment, and the metrics of its stages that have published values."""

    name: str
    about: str = ""
    references: tuple[str, ...] = ()


@dataclass(frozen=True)
class StageDisplay:
    """How the runs of one stage appear."""

    experiment: Experiment
    run_name: str
    about: str = ""
    colour: str = COLOURS[0]
    references: References = field(default_factory=dict)


class Displays:
    """The displays of a project's stages."""

    def __init__(self, root: Path, config: Config) -> None:
        self._default = Experiment(config.name)
        self.executions = Experiment(
            f"{config.name} executions",
            "Which stages ran, were restored, or failed.\n\nOne run for each execution of the "
            "pipeline, such as `dvc repro`. The runs of its stages are in other experiments.",
        )
        self._displays: dict[str, StageDisplay] = {}
        if config.experiments:
            content = read_yaml(root / config.experiments)
            try:
                for entry in content:
                    self._displays |= _displays(entry)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise UserError(
                    f"{config.experiments}: not a list of experiments ({type(error).__name__}: "
                    f"{truncate(str(error))}); allowed: for each the keys experiment, about and "
                    "stages, and for each stage the keys run, about and figures"
                ) from None

    @property
    def named(self) -> list[Experiment]:
        """The experiments that the file names, in the order of the file."""
        return list(dict.fromkeys(display.experiment for display in self._displays.values()))

    @property
    def of_stages(self) -> list[Experiment]:
        """The experiments that a stage's runs can be in."""
        return [*self.named, self._default]

    def __getitem__(self, stage: str) -> StageDisplay:
        """The display of a stage. By default its run has the stage's name."""
        return self._displays.get(stage, StageDisplay(self._default, stage))


def _displays(entry: Mapping[str, Any]) -> dict[str, StageDisplay]:
    """The displays of the stages of one experiment."""
    stages: Mapping[str, Mapping[str, Any]] = entry["stages"]
    metrics = {name: None for stage in stages.values() for name in stage.get("figures", {})}
    experiment = Experiment(entry["experiment"], entry.get("about", "").strip(), tuple(metrics))
    return {
        stage: StageDisplay(
            experiment,
            display.get("run", stage),
            display.get("about", ""),
            COLOURS[number % len(COLOURS)],
            display.get("figures", {}),
        )
        for number, (stage, display) in enumerate(stages.items())
    }
