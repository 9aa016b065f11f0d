"""The MLflow store of a project: creates experiments and runs, logs to them, and ends runs."""

from __future__ import annotations

import getpass
import math
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvcview.project.config import read_config
from dvcview.tracking.address import sqlite_file, tracking_uri
from dvcview.tracking.connection import artifact_location, connect, store_lock
from dvcview.tracking.displays import Displays, Experiment
from dvcview.tracking.event_log import now
from dvcview.tracking.execution import Execution
from dvcview.tracking.run_names import committed_params, param_text, run_name, variant_params
from dvcview.tracking.saved_view import AXIS, VIEW_TAG, saved_view, view_link
from dvcview.tracking.tags import (
    BUILDING,
    CURRENT,
    EVENT_LOG,
    EXECUTION,
    STATE,
    git_tags,
    stage_tags,
)

if TYPE_CHECKING:
    from mlflow.entities import Run

# MLflow's limits for one call.
MAX_METRICS, MAX_PARAMS_OR_TAGS = 1000, 100
FINISHED = " and attributes.status = 'FINISHED'"  # a condition for `find`
NOT_IN_A_NAME = re.compile(r"[^\w\-. /:]")  # characters that MLflow does not allow
LONGEST_NAME = 250


class RunStore:
    """The runs of a project in one MLflow store."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = read_config(root)
        self.displays = Displays(root, self.config)
        self.client = connect(root)
        self._experiments: dict[str, str] = {}

    def experiment(self, experiment: Experiment) -> str:
        """The id of an experiment, which is created if it is missing.

        The first call creates all, the last one first, because MLflow's page lists them by age.
        """
        if experiment.name not in self._experiments:
            displays = self.displays
            with store_lock(self.root):
                for each in (displays.executions, *reversed(displays.named), experiment):
                    self._experiments[each.name] = self._create_experiment(each)
        return self._experiments[experiment.name]

    def _create_experiment(self, experiment: Experiment) -> str:
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(experiment.name)
        if found is None and experiment == self.displays.executions:
            self._rename_default(experiment.name)
            found = self.client.get_experiment_by_name(experiment.name)
        if found is None:
            # It fails if another machine has just created the experiment.
            with suppress(MlflowException):
                location = artifact_location(self.root)
                self.client.create_experiment(experiment.name, location)
            found = self.client.get_experiment_by_name(experiment.name)
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        for tag, value in self._experiment_tags(experiment, found.experiment_id).items():
            if found.tags.get(tag) != value:
                self.client.set_experiment_tag(found.experiment_id, tag, value)
        return str(found.experiment_id)

    def _rename_default(self, name: str) -> None:
        """Use the experiment that every store begins with, if the store is this project's own.

        `mlflow run` needs it and writes the run of an execution into it.
        """
        default = self.client.get_experiment("0")
        is_own = sqlite_file(tracking_uri(self.root)) and default.name == "Default"
        if is_own and not self.client.search_runs(["0"], max_results=1):
            self.client.rename_experiment("0", name)

    def _experiment_tags(self, experiment: Experiment, experiment_id: str) -> dict[str, str]:
        """The description; and a saved view with a link to it, if charts are configured."""
        about = {"mlflow.note.content": experiment.about} if experiment.about else {}
        if not self.config.charts or experiment == self.displays.executions:
            return about
        link = f"[The charts]({view_link(experiment_id)})"
        view = saved_view(self.config.columns, self.config.charts, experiment.references)
        return {"mlflow.note.content": f"{experiment.about}\n\n{link}".strip(), VIEW_TAG: view}

    def experiment_of(self, stage: str) -> str:
        """The id of the experiment that a stage's runs belong to."""
        return self.experiment(self.displays[stage].experiment)

    def run_name(self, stage: str, params: Mapping[str, Any]) -> str:
        """The name of a run with these parameters; see `run_names`."""
        return run_name(self.displays[stage].run_name, stage, params, committed_params(self.root))

    def find(self, experiment: str, tag: str, value: str, and_: str = "") -> list[Run]:
        """The runs with this tag, oldest first."""
        return list(
            self.client.search_runs(
                [experiment],
                f"tags.`{tag}` = '{value}'{and_}",
                order_by=["attributes.start_time", "attributes.run_id"],
            )
        )

    def find_or_create(self, experiment: str, name: str, tag: str, value: str, start: int) -> str:
        """The id of the one run with this tag."""
        with store_lock(self.root):
            found = self.find(experiment, tag, value)
            if found:
                return str(found[0].info.run_id)
            tags = {tag: value, "mlflow.user": _user()}
            run = self.client.create_run(experiment, start, tags, name)
        return str(run.info.run_id)

    def has_run(self, run_id: str | None) -> bool:
        """Whether this store has a run. `MLFLOW_RUN_ID` may name one of another store."""
        from mlflow.exceptions import MlflowException

        try:
            return bool(run_id and self.client.get_run(run_id))
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return False
            raise

    def open_parent(self, execution: Execution) -> str | None:
        """The run of an execution; None for a stage that was started without DVC."""
        if self.has_run(execution.parent_run):
            return execution.parent_run
        if execution.manual:
            return None
        experiment = self.experiment(self.displays.executions)
        start = int(execution.created * 1000)
        return self.find_or_create(
            experiment, execution.command[:200], EXECUTION, execution.id, start
        )

    def open_stage(self, event_log: str, begin: Mapping[str, Any], parent: str | None) -> str:
        """The run of a stage that has begun; its status is RUNNING."""
        stage, environment = begin["stage"], begin["environment"]
        name = self.run_name(stage, begin["params"])
        run_id = self.find_or_create(
            self.experiment_of(stage), name, EVENT_LOG, event_log, begin["time"]
        )
        tags = stage_tags(stage, self.displays[stage], begin["command"], parent)
        tags |= git_tags(environment["commit"], environment["diff"])
        tags["device"] = environment["tags"]["device"]
        params = begin["params"]
        self.log(run_id, tags=tags, params=params | variant_params(stage, params))
        self.client.log_dict(run_id, environment["tags"], "environment.json")
        if environment["diff"]:
            self.client.log_text(run_id, environment["diff"], "not_committed.diff")
        return run_id

    def log_epochs(self, run_id: str, events: Iterable[Mapping[str, Any]]) -> None:
        """Log the metrics of epochs, in as few calls as possible."""
        points = []
        for event in events:
            points += self.curve_points(event["metrics"], event["epoch"], event["time"])
        self.log(run_id, metrics=points)

    def curve_points(self, row: Mapping[str, float], step: int, time: int) -> list[Any]:
        """The metrics of one step, and those of the configured axes over these as well."""
        from mlflow.entities import Metric

        points = [Metric(valid_name(key), float(v), time, step) for key, v in row.items()]
        for column, metrics in self.config.axes.items():
            for key in metrics:
                if key in row and float(row.get(column, math.nan)).is_integer():
                    name = valid_name(f"{AXIS}{column}/{key}")
                    points.append(Metric(name, float(row[key]), time, int(row[column])))
        return points

    def logged_steps(self, run_id: str) -> dict[str, set[int]]:
        """The steps of each metric that a run has."""
        metrics = self.client.get_run(run_id).data.metrics
        return {
            key: {point.step for point in self.client.get_metric_history(run_id, key)}
            for key in metrics
        }

    def log(
        self,
        run_id: str,
        *,
        metrics: Sequence[Any] = (),
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log any number of metrics, parameters and tags; repeating a call changes nothing."""
        from mlflow.entities import Param, RunTag

        for start in range(0, len(metrics), MAX_METRICS):
            self.client.log_batch(run_id, metrics=metrics[start : start + MAX_METRICS])
        every = [
            *(Param(valid_name(key), param_text(value)) for key, value in (params or {}).items()),
            *(RunTag(valid_name(key), str(value)[:5000]) for key, value in (tags or {}).items()),
        ]
        for start in range(0, len(every), MAX_PARAMS_OR_TAGS):
            some = every[start : start + MAX_PARAMS_OR_TAGS]
            self.client.log_batch(
                run_id,
                params=[entry for entry in some if isinstance(entry, Param)],
                tags=[entry for entry in some if isinstance(entry, RunTag)],
            )

    def log_file(self, run_id: str, file: Path, path: str) -> None:
        """Log a file as an artifact; `path` is its path among the artifacts."""
        folder, _, name = path.rpartition("/")
        if file.name == name:
            self.client.log_artifact(run_id, str(file), folder or None)
            return
        with tempfile.TemporaryDirectory() as scratch:
            copy = shutil.copyfile(file, Path(scratch) / name)
            self.client.log_artifact(run_id, str(copy), folder or None)

    def log_summary(
        self, run_id: str, summary: Mapping[str, Sequence[str]], runs: Mapping[str, str]
    ) -> None:
        """Log on an execution's run what happened to each stage; `runs` has run ids by stage.

        The description is a table with links, because MLflow's page links a run to its parent, but
        not a parent to its runs in other experiments.
        """
        lines = ["| stage | | run |", "|---|---|---|"]
        for kind, stages in summary.items():
            for stage in stages:
                link = f"#/experiments/{self.experiment_of(stage)}/runs/{runs.get(stage)}"
                name = self.displays[stage].run_name
                lines.append(
                    f"| {stage} | {kind} | {f'[{name}]({link})' if stage in runs else ''} |"
                )
        names = {kind: ", ".join(stages) for kind, stages in summary.items()}
        self.log(run_id, tags={**names, "mlflow.note.content": "\n".join(lines)})

    def point_current(self, run_id: str) -> None:
        """Move the alias `current` of a registered model to the version of this run."""
        for version in self.client.search_model_versions(f"run_id = '{run_id}'"):
            if CURRENT not in (version.aliases or []):
                self.client.set_registered_model_alias(version.name, CURRENT, version.version)

    def end_abandoned(self) -> None:
        """Delete runs that another run has replaced, and end those of a killed sync.

        A server that is killed, or a client, can leave a second run for the same stage or state.
        """
        experiments = [found.experiment_id for found in self.client.search_experiments()]
        an_hour_ago = now() - 3_600_000
        for tag, replaced_by in ((BUILDING, STATE), (EVENT_LOG, EVENT_LOG), (EXECUTION, EXECUTION)):
            running = f"attributes.status = 'RUNNING' and tags.`{tag}` LIKE '%'"
            for run in self.client.search_runs(experiments, running):
                run_id, value = run.info.run_id, run.data.tags[tag]
                if self.find(run.info.experiment_id, replaced_by, value, FINISHED):
                    self.client.delete_run(run_id)
                elif tag == BUILDING and run.info.start_time < an_hour_ago:
                    self.client.set_terminated(run_id, "KILLED")

    def close(self, run_id: str, end: Mapping[str, Any]) -> None:
        """End a run with the status and the error of its stage."""
        if end.get("error"):
            self.log(run_id, tags={"error": end["error"]})
        if end.get("traceback"):
            self.client.log_text(run_id, end["traceback"], "error.txt")
        self.client.set_terminated(run_id, end["status"], end["time"])


def valid_name(name: str) -> str:
    """A name that MLflow allows for a parameter, a metric or a tag.

    >>> valid_name("loss (test)"), valid_name("a//b")
    ('loss _test_', 'a/_/b')
    """
    parts = NOT_IN_A_NAME.sub("_", name)[:LONGEST_NAME].split("/")
    return "/".join("_" if part in ("", ".", "..") else part for part in parts)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the user of a container may have no name
        return "unknown"
