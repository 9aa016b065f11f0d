"""Runs in MLflow: found or made, fed while their stage runs, ended as it ended."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvcview.files.artifacts import read_csv
from dvcview.tracking.event_log import now
from dvcview.tracking.execution import Execution
from dvcview.tracking.experiments import Experiment, Page, page_of, read_pages
from dvcview.tracking.store import artifact_location, connect, store_lock

if TYPE_CHECKING:
    from mlflow.entities import Run

EXECUTIONS = Experiment(
    "Executions",
    "What ran, what was restored, what failed.\n\n"
    "One run for each execution of the pipeline (`dvc repro`, `make run`, `dvc exp run`, "
    "`mlflow run`). The runs of its stages stand in the experiments of their lectures.",
)
# MLflow takes no more in one call.
MOST_METRICS, MOST_PARAMS_OR_TAGS = 1000, 100
JOURNAL, EXECUTION = "dlvc.journal", "dlvc.execution"
STATE, REPEATS, BUILDING = "dlvc.state", "dlvc.repeats", "dlvc.building"
# Against epochs all stages look alike; against updates, the three rules of lecture 24 do not.
BY_UPDATE = {"train_loss": "by_update/train_loss", "test_accuracy": "by_update/test_accuracy"}


class View:
    """The course in one MLflow store."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.client = connect(root)
        self.pages = read_pages(root)
        self._experiments: dict[str, str] = {}

    def experiment(self, experiment: Experiment) -> str:
        """The id of an experiment, which is made if it is missing."""
        if experiment.name not in self._experiments:
            with store_lock(self.root):
                self._experiments[experiment.name] = self._make_experiment(experiment)
        return self._experiments[experiment.name]

    def _make_experiment(self, experiment: Experiment) -> str:
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(experiment.name)
        if found is None:
            # Another machine may be quicker: then the name exists already.
            with suppress(MlflowException):
                location = artifact_location(self.root)
                self.client.create_experiment(experiment.name, location)
            found = self.client.get_experiment_by_name(experiment.name)
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        for tag, value in experiment.tags(found.experiment_id).items():
            if found.tags.get(tag) != value:
                self.client.set_experiment_tag(found.experiment_id, tag, value)
        return str(found.experiment_id)

    def experiment_of(self, stage: str) -> str:
        """The id of the experiment of a stage's lecture."""
        return self.experiment(page_of(self.pages, stage).experiment)

    def find(self, experiment: str, tag: str, value: str, and_: str = "") -> list[Run]:
        """The runs with that tag, oldest first."""
        return list(
            self.client.search_runs(
                [experiment],
                f"tags.`{tag}` = '{value}'{and_}",
                order_by=["attributes.start_time", "attributes.run_id"],
            )
        )

    def find_or_create(self, experiment: str, name: str, tag: str, value: str, start: int) -> str:
        """The id of the one run with that tag."""
        with store_lock(self.root):
            found = self.find(experiment, tag, value)
            if found:
                return str(found[0].info.run_id)
            tags = {tag: value, "mlflow.user": _user()}
            run = self.client.create_run(experiment, start, tags, name)
        return str(run.info.run_id)

    def open_parent(self, execution: Execution) -> str | None:
        """The run of an execution; a stage that was started by hand has none."""
        if execution.parent_run:
            return execution.parent_run
        if execution.by_hand:
            return None
        experiment = self.experiment(EXECUTIONS)
        start = int(execution.created * 1000)
        return self.find_or_create(
            experiment, execution.command[:200], EXECUTION, execution.id, start
        )

    def open_stage(self, journal: str, begin: Mapping[str, Any], parent: str | None) -> str:
        """The run of a stage that has begun, RUNNING."""
        stage = begin["stage"]
        page = page_of(self.pages, stage)
        run_id = self.find_or_create(
            self.experiment_of(stage), page.run_name, JOURNAL, journal, begin["time"]
        )
        around = begin["surroundings"]
        tags = stage_tags(stage, page, begin["command"], parent)
        tags |= around["tags"] | git_tags(around["commit"], around["diff"])
        self.log(run_id, tags=tags, params=begin["params"])
        if around["diff"]:
            self.client.log_text(run_id, around["diff"], "not_committed.diff")
        return run_id

    def log_epochs(self, run_id: str, events: Iterable[Mapping[str, Any]]) -> None:
        """What the epochs brought, in as few calls as possible."""
        points = []
        for event in events:
            row = {"updates": event["updates"], **event["metrics"]}
            points += curve_points(row, event["epoch"], event["time"])
        self.log(run_id, metrics=points)

    def log(
        self,
        run_id: str,
        *,
        metrics: Sequence[Any] = (),
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Send any number of metrics, parameters and tags; to send them again changes nothing."""
        from mlflow.entities import Param, RunTag

        for start in range(0, len(metrics), MOST_METRICS):
            self.client.log_batch(run_id, metrics=metrics[start : start + MOST_METRICS])
        every = [
            *(Param(key, param_text(value)) for key, value in (params or {}).items()),
            *(RunTag(key, str(value)[:5000]) for key, value in (tags or {}).items()),
        ]
        for start in range(0, len(every), MOST_PARAMS_OR_TAGS):
            some = every[start : start + MOST_PARAMS_OR_TAGS]
            self.client.log_batch(
                run_id,
                params=[entry for entry in some if isinstance(entry, Param)],
                tags=[entry for entry in some if isinstance(entry, RunTag)],
            )

    def sum_up(
        self, run_id: str, told: Mapping[str, Sequence[str]], runs: Mapping[str, str]
    ) -> None:
        """Say on an execution's run what became of which stages; `runs` has their runs, by stage.

        MLflow's page leads from a run to its parent, but across experiments not back: so the
        description does.
        """
        lines = ["| stage | | run |", "|---|---|---|"]
        for kind, stages in told.items():
            for stage in stages:
                link = f"#/experiments/{self.experiment_of(stage)}/runs/{runs.get(stage)}"
                name = page_of(self.pages, stage).run_name
                lines.append(
                    f"| {stage} | {kind} | {f'[{name}]({link})' if stage in runs else ''} |"
                )
        names = {kind: ", ".join(stages) for kind, stages in told.items()}
        self.log(run_id, tags={**names, "mlflow.note.content": "\n".join(lines)})

    def end_abandoned(self) -> None:
        """End the runs of a sync that was killed while it built them."""
        experiments = [found.experiment_id for found in self.client.search_experiments()]
        an_hour_ago = now() - 3_600_000
        for run in self.client.search_runs(
            experiments,
            f"attributes.status = 'RUNNING' and attributes.start_time < {an_hour_ago} "
            f"and tags.`{BUILDING}` LIKE '%'",
        ):
            self.client.set_terminated(run.info.run_id, "KILLED")

    def close(self, run_id: str, end: Mapping[str, Any]) -> None:
        """End a run as its stage ended, with its error."""
        if end.get("error"):
            self.log(run_id, tags={"error": end["error"]})
        if end.get("traceback"):
            self.client.log_text(run_id, end["traceback"], "error.txt")
        self.client.set_terminated(run_id, end["status"], end["time"])


def param_text(value: Any) -> str:
    """A value as MLflow keeps it: the same for 10, as dvc.lock has it, and for 10.0, as we compute.

    >>> param_text(10.0), param_text(10), param_text(1e-4)
    ('10', '10', '0.0001')
    >>> param_text([0.001, 10.0])
    '[0.001, 10]'
    """
    if isinstance(value, list):
        return f"[{', '.join(map(param_text, value))}]"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def stage_tags(stage: str, page: Page, command: str, parent: str | None) -> dict[str, str]:
    """What every run of a stage says of itself."""
    tags = {
        "stage": stage,
        "mlflow.note.content": page.about,
        "mlflow.runColor": page.colour,
        "mlflow.source.name": command,
        "mlflow.source.type": "LOCAL",
    }
    return tags | ({"mlflow.parentRunId": parent} if parent else {})


def git_tags(commit: str | None, diff: str) -> dict[str, str]:
    """The commit, and whether there was more than it."""
    if commit is None:
        return {}
    return {"mlflow.source.git.commit": commit, "mlflow.source.git.dirty": str(bool(diff)).lower()}


def curve_points(row: Mapping[str, float], epoch: int, time: int) -> list[Any]:
    """The points of one epoch: over epochs, and two of them over updates as well."""
    from mlflow.entities import Metric

    points = [Metric(key, float(value), time, epoch) for key, value in row.items()]
    for key, name in BY_UPDATE.items():
        points.append(Metric(name, float(row[key]), time, int(row["updates"])))
    return points


def figure_points(figures: Mapping[str, Mapping[int, float]]) -> list[Any]:
    """What the lecture prints, as metrics of their own names."""
    from mlflow.entities import Metric

    return [
        Metric(f"lecture/{metric}", float(value), now(), int(epoch))
        for metric, values in figures.items()
        for epoch, value in values.items()
    ]


def read_curve(file: Path) -> list[dict[str, float]]:
    """The rows of a curves.csv."""
    return [{key: float(x) for key, x in row.items()} for row in read_csv(file)]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"
