"""Compare the bytes of a project with dvc.lock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dvcview.project.dvc_processes import PathInUse
from dvcview.project.lockfile import Pipeline, StageState
from dvcview.verify.active_processes import paths_in_use
from dvcview.verify.cache import check_objects, check_runs
from dvcview.verify.expected import Expected, Out, expect, outs_of, read_locks
from dvcview.verify.manifest import Manifest, build_manifest
from dvcview.verify.problem import Problem
from dvcview.verify.repair import Repairs
from dvcview.verify.workspace import check_workspace


@dataclass(frozen=True)
class Checked:
    """What `check_bytes` read, and the problems that it found."""

    states: Mapping[str, StageState]
    manifest: Manifest
    expected: Expected
    repairs: Repairs
    in_use: Sequence[PathInUse]  # not checked, because a process may be writing them
    problems: Sequence[Problem]

    @property
    def intact(self) -> set[str]:
        """The files of the workspace whose MD5 is the one in dvc.lock."""
        found = self.manifest.workspace
        files = self.expected.files
        return {f.path for f in files if f.path in found and found[f.path].md5 == f.md5}


def check_bytes(root: Path) -> Checked:
    """Read every file of the outs and of DVC's cache, and compare it with dvc.lock.

    Raises:
        UserError: dvc.lock is missing or not readable.
    """
    pipeline = Pipeline(root, root, None)
    _, before = read_locks(pipeline)
    in_use = paths_in_use(root, before)
    manifest = build_manifest(
        pipeline,
        [out.path for out in _not_in_use(outs_of(before, pipeline.definitions.uncached), in_use)],
    )

    # A process that started or ended during the reading may have written, too.
    lock, states = read_locks(pipeline)
    in_use |= paths_in_use(root, states) | set(_changed_outs(before, states))
    expected = expect(_not_in_use(outs_of(states, pipeline.definitions.uncached), in_use), manifest)
    repairs = Repairs(manifest, expected, pipeline.has_remote)
    problems = (
        *check_workspace(expected, manifest, repairs),
        *check_objects(expected, manifest, repairs),
        *check_runs(lock, manifest, repairs),
    )
    in_order = sorted(in_use, key=lambda used: (used.who, used.path))
    return Checked(states, manifest, expected, repairs, in_order, problems)


def _not_in_use(outs: tuple[Out, ...], in_use: set[PathInUse]) -> tuple[Out, ...]:
    return tuple(out for out in outs if not any(used.touches(out.path) for used in in_use))


def _changed_outs(
    before: Mapping[str, StageState], after: Mapping[str, StageState]
) -> Iterator[PathInUse]:
    for stage, state in after.items():
        if stage not in before or before[stage].outs != state.outs:
            for path in state.outs:
                yield PathInUse("a process that has just changed dvc.lock", path)
