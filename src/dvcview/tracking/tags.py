"""The tags of runs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from dvcview.project.git import path_from_top
from dvcview.project.lockfile import Pipeline, StageState
from dvcview.tracking.displays import StageDisplay

# The event log, or the execution, that a run belongs to.
EVENT_LOG, EXECUTION = "dvcview.event_log", "dvcview.execution"
# The state whose canonical run this is; or the canonical run that this run repeats; or the state
# that this run is being built for.
STATE, REPEATS, BUILDING = "dvcview.state", "dvcview.repeats", "dvcview.building"
CURRENT = "current"  # tag of a run, and alias of a model version, whose state is in dvc.lock
LABEL = "label"  # a word that is a part of the run's name, such as "off"
PICTURES = "dvcview.pictures"  # identifies the pictures that a run has


def stage_tags(
    stage: str, display: StageDisplay, command: str, parent: str | None
) -> dict[str, str]:
    """The tags that every run of a stage has."""
    tags = {
        "stage": stage,
        "mlflow.source.name": command,
        "mlflow.source.type": "LOCAL",
    }
    more = {"mlflow.note.content": display.about, "mlflow.parentRunId": parent or ""}
    return tags | {name: value for name, value in more.items() if value}


def git_tags(commit: str | None, diff: str) -> dict[str, str]:
    """The commit, and whether the working tree had changes."""
    if commit is None:
        return {}
    return {"mlflow.source.git.commit": commit, "mlflow.source.git.dirty": str(bool(diff)).lower()}


def provenance(state: StageState) -> dict[str, Any]:
    """The entry of a state in dvc.lock: its command, parameters, and the MD5 of deps and outs."""
    return {
        "stage": state.stage,
        "command": state.cmd,
        "deps": dict(state.deps),
        "params": dict(state.sections),
        "outs": dict(state.outs),
    }


def restoring(state: StageState, pipeline: Pipeline) -> dict[str, str]:
    """Tags with the commit that has the state, and the `dvc` command that restores its files."""
    tags = {"dvc.experiment": pipeline.name} if pipeline.name else {}
    commit = pipeline.commit_of(state)
    if commit is not None:
        tags["dvc.commit"] = commit
    if not state.outs:
        return tags
    if commit is None:
        restore = f"dvc checkout {state.stage}"
    elif state.folder == Path():  # the outs have no folder of their own
        restore = f"git checkout {commit} && dvc checkout {state.stage}"
    else:
        top, prefix = path_from_top(pipeline.root)
        path = shlex.quote(f"{prefix}{state.folder.as_posix()}")
        restore = f"dvc get {top} {path} --rev {commit}"
    return tags | {"dvc.restore": restore}
