"""What tells the runs of one stage apart: their names, and which of them dvc.lock has now.

A run has the name of its stage, followed by each parameter whose value differs from the one in the
committed params.yaml: `LeNet · epochs=11`. It changes when another value is committed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvcview.errors import UserError
from dvcview.files.yaml_files import parse_yaml
from dvcview.project.git import git
from dvcview.project.params import PARAMS_FILE, flatten
from dvcview.tracking.tags import CURRENT, LABEL, REPEATS

if TYPE_CHECKING:
    from dvcview.tracking.run_store import RunStore

SEPARATOR = " · "
MOST_PARAMS = 3  # in a name
MOST_RUNS = 50_000  # MLflow's limit for one search


def param_text(value: Any) -> str:
    """A parameter as text, the same for 10, as dvc.lock has it, and for 10.0, as Python has it.

    >>> param_text(10.0), param_text(10), param_text(1e-4)
    ('10', '10', '0.0001')
    >>> param_text([0.001, 10.0])
    '[0.001, 10]'
    """
    if isinstance(value, list):
        return f"[{', '.join(map(param_text, value))}]"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def committed_params(root: Path) -> dict[str, str]:
    """The parameters of the committed params.yaml as texts; none without git."""
    text = git(root, "show", f"HEAD:./{PARAMS_FILE}")
    try:
        content = parse_yaml(text, PARAMS_FILE.name)
    except UserError:  # it was committed with a mistake in it
        return {}
    flat = flatten(content) if isinstance(content, Mapping) else {}
    return {key: param_text(value) for key, value in flat.items()}


def run_name(name: str, stage: str, params: Mapping[str, Any], committed: Mapping[str, str]) -> str:
    """The name of a stage, and the parameters of a run that differ from the committed ones.

    >>> committed = {"fit.epochs": "10", "fit.sgd.rate": "0.1", "seed": "1"}
    >>> run_name("SGD", "fit@sgd", {"fit.epochs": 11, "fit.sgd.rate": 0.5, "seed": 1}, committed)
    'SGD · epochs=11 · rate=0.5'
    >>> run_name("SGD", "fit@sgd", {"seed": 2, "new": 3}, committed)
    'SGD · seed=2'
    """
    base, _, variant = stage.rpartition(":")[2].partition("@")
    own = f"{base}."
    changed = {key: param_text(value) for key, value in params.items() if key in committed}
    changed = {key: value for key, value in changed.items() if committed[key] != value}
    parts = [
        f"{key.removeprefix(own).removeprefix(f'{variant}.')}={changed[key]}"
        for key in sorted(changed, key=lambda key: (not key.startswith(own), key))
    ]
    more = [f"{len(parts) - MOST_PARAMS} more"] if len(parts) > MOST_PARAMS else []
    return SEPARATOR.join([name, *parts[:MOST_PARAMS], *more])


def variant_params(stage: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a variant without its name, so that the variants of a stage line up.

    >>> variant_params("fit@sgd", {"fit.epochs": 11, "fit.sgd.rate": 0.5})
    {'rate': 0.5}
    """
    base, _, variant = stage.rpartition(":")[2].partition("@")
    own = f"{base}.{variant}."
    return {key.removeprefix(own): value for key, value in params.items() if key.startswith(own)}


def label_runs(run_store: RunStore, current: Collection[str] | None) -> None:
    """Give each run its name, compared with what is committed now, and mark the current runs.

    Args:
        run_store: the MLflow store.
        current: the ids of the runs whose states the workspace's dvc.lock has; None if it is
            changing at the moment. Such a run has the tag `current` and its stage's colour.
    """
    names = {experiment.name for experiment in run_store.displays.of_stages}
    experiments = [
        found.experiment_id
        for found in run_store.client.search_experiments()
        if found.name in names
    ]
    committed = committed_params(run_store.root)
    runs = run_store.client.search_runs(experiments, "tags.stage LIKE '%'", max_results=MOST_RUNS)
    for run in runs:
        run_id, tags = run.info.run_id, run.data.tags
        display = run_store.displays[tags["stage"]]
        name = run_name(display.run_name, tags["stage"], run.data.params, committed)
        labels = [tags[LABEL]] if LABEL in tags else []
        labels += ["repetition"] if REPEATS in tags else []
        name = SEPARATOR.join([name, *labels])
        before = run.info.run_name
        is_ours = before == display.run_name or before.startswith(display.run_name + SEPARATOR)
        if is_ours and name != before:
            run_store.client.update_run(run_id, name=name)
        if current is None or (run_id in current) == (CURRENT in tags):
            continue
        if run_id in current:
            run_store.log(run_id, tags={CURRENT: "yes", "mlflow.runColor": display.colour})
        else:
            for tag in (CURRENT, "mlflow.runColor"):
                if tag in tags:
                    run_store.client.delete_tag(run_id, tag)
