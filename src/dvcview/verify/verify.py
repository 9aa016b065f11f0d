"""Verify a project: the bytes of all outs and of DVC's cache, and the project's own checks."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dvcview.verify.check import Checked, check_bytes
from dvcview.verify.problem import Problem
from dvcview.verify.workspace import absent_outs


@dataclass(frozen=True)
class Findings:
    """The result of one check: lines about what was checked, and the problems."""

    lines: Sequence[str]
    problems: Sequence[Problem] = ()


Check = Callable[[Path, Checked], Findings]


def verify(root: Path, checks: Sequence[Check] = ()) -> bool:
    """Check the bytes, then run the project's own `checks`, and print the findings.

    Returns:
        Whether there are no problems.

    Raises:
        UserError: dvc.lock is missing or not readable.
    """
    began = time.monotonic()
    checked = check_bytes(root)
    findings = [check(root, checked) for check in checks]
    problems = [
        *checked.problems,
        *(problem for finding in findings for problem in finding.problems),
    ]
    for line in (
        *_lines_about_bytes(checked),
        *(line for finding in findings for line in finding.lines),
        *_lines_about_unchecked(checked),
        *_lines_about_problems(root, problems),
    ):
        print(line)
    seconds = f"{time.monotonic() - began:.1f} s"
    result = f"{len(problems)} damaged or different" if problems else "intact"
    print(f"{result} ({seconds})")
    return not problems


def _lines_about_bytes(checked: Checked) -> Iterator[str]:
    manifest = checked.manifest
    for where, files in (
        ("workspace", manifest.workspace.values()),
        ("DVC's cache", manifest.objects.values()),
    ):
        size = sum(content.size for content in files) / 1e6
        yield f"{where}: {len(files)} files, {size:.1f} MB, every byte read"
    yield f"DVC's run cache: {len(manifest.runs)} entries"


def _lines_about_unchecked(checked: Checked) -> Iterator[str]:
    paths = defaultdict(set)
    for path in checked.in_use:
        paths[path.who].add(path.path)
    for who, used in paths.items():
        yield f"not checked, because {who} is using them: {', '.join(sorted(used))}"
    absent = absent_outs(checked.expected, checked.manifest)
    if absent:
        missing = f"{len(absent)} of {len(checked.expected.outs)} outs"
        yield f"not on this machine: {missing}; `dvc pull` or `dvc repro` brings them"


def _lines_about_problems(root: Path, problems: Sequence[Problem]) -> Iterator[str]:
    """The problems, grouped by the command that repairs them, and the command after each group."""
    by_repair = defaultdict(list)
    for problem in problems:
        by_repair[problem.repair].append(problem)
    for repair, repaired in by_repair.items():
        for problem in repaired:
            yield f"{problem.file}: {problem.what}"
        yield f"    {repair}"
    if problems and (root / ".venv").is_dir():
        yield "the commands need the environment: `source .venv/bin/activate`"
