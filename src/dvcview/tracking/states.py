"""Every state of a pipeline has its one run in MLflow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from dvcview.project.lockfile import MissingFileError, Pipeline, StageState
from dvcview.tracking.finalize import complete, mark_current
from dvcview.tracking.run_store import View


@dataclass
class Report:
    """What a sync found."""

    built: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # stages whose files are not on this machine
    runs: dict[str, str] = field(default_factory=dict)  # of the first pipeline's stages


def sync_states(
    view: View,
    pipelines: Iterable[Pipeline],
    parent: Callable[[], str | None],
    is_left_out: Callable[[StageState], bool],
) -> Report:
    """Build the missing runs, except those of states that are left out.

    `parent` gives the run of the execution that built them.
    """
    report = Report()
    known: set[str] = set()
    for pipeline in pipelines:
        here = pipeline.workspace is not None
        for stage, state in pipeline.states().items():
            if state.digest in known or is_left_out(state):
                continue
            known.add(state.digest)
            try:
                run_id, built = complete(view, state, pipeline, parent=parent)
            except MissingFileError:
                if here:  # an experiment whose files are elsewhere is nobody's mistake
                    report.missing.append(stage)
                continue
            report.runs.setdefault(stage, run_id)
            if built:
                report.built.append(stage)
            if here:
                mark_current(view, run_id, state, pipeline)
    return report
