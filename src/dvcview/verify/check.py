"""The bytes of a project, held to dvc.lock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dvcview.project.lockfile import Pipeline, StageState
from dvcview.verify.active_processes import Work, at_work
from dvcview.verify.cache import check_objects, check_runs
from dvcview.verify.expected import Expected, Out, expect, outs_of, read_lock
from dvcview.verify.manifest import Inventory, take_inventory
from dvcview.verify.problem import Problem
from dvcview.verify.repair import Repairs
from dvcview.verify.workspace import check_workspace


@dataclass(frozen=True)
class Checked:
    """What was read, and what of it is damaged."""

    states: Mapping[str, StageState]
    inventory: Inventory
    expected: Expected
    repairs: Repairs
    in_use: Sequence[Work]  # what was left out: somebody writes it
    problems: Sequence[Problem]

    @property
    def sound(self) -> set[str]:
        """The files of the workspace that are as dvc.lock says."""
        found = self.inventory.workspace
        files = self.expected.files
        return {f.path for f in files if f.path in found and found[f.path].md5 == f.md5}


def check_bytes(root: Path) -> Checked:
    """Read every file of the outs and of DVC's cache, and hold them to dvc.lock.

    Raises:
        UserError: dvc.lock is missing or not readable.
    """
    _, before = read_lock(root)
    in_use = at_work(root, before)
    pipeline = Pipeline(root, root, None)
    inventory = take_inventory(pipeline, [out.path for out in _idle(outs_of(root, before), in_use)])

    # Whoever began or ended meanwhile has written, too.
    lock, states = read_lock(root)
    in_use |= at_work(root, states) | set(_changed(before, states))
    expected = expect(_idle(outs_of(root, states), in_use), inventory)
    repairs = Repairs(inventory, expected, pipeline.has_remote)
    problems = (
        *check_workspace(expected, inventory, repairs),
        *check_objects(expected, inventory, repairs),
        *check_runs(lock, inventory, repairs),
    )
    works = sorted(in_use, key=lambda work: (work.who, work.path))
    return Checked(states, inventory, expected, repairs, works, problems)


def _idle(outs: tuple[Out, ...], in_use: set[Work]) -> tuple[Out, ...]:
    return tuple(out for out in outs if not any(work.touches(out.path) for work in in_use))


def _changed(before: Mapping[str, StageState], after: Mapping[str, StageState]) -> Iterator[Work]:
    for stage, state in after.items():
        if stage not in before or before[stage].outs != state.outs:
            for path in state.outs:
                yield Work("somebody who has just changed dvc.lock", path)
