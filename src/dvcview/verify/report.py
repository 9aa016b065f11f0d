"""`dlvc verify`: everything that can be checked on this machine, told in a few lines."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dlvc.checks.contracts import check_contracts, ready
from dlvc.checks.metrics import Comparison, compare_metrics
from dvcview.verify.check import Checked, check_bytes
from dvcview.verify.problem import Problem
from dvcview.verify.workspace import absent_outs


def verify(root: Path) -> bool:
    """Check bytes, contracts and metrics, and print what was found; whether all is right.

    Raises:
        UserError: dvc.lock is missing or not readable.
    """
    began = time.monotonic()
    checked = check_bytes(root)
    sound = checked.sound
    contracts = ready(checked.states, checked.inventory, sound)
    comparisons = list(compare_metrics(root, checked.states, sound))
    problems = [
        *checked.problems,
        *check_contracts(contracts, checked.repairs),
        *_differing(comparisons, checked),
    ]
    for line in (
        *_about_bytes(checked),
        f"contracts: {len(contracts)} checked, of shapes, dtypes, ranges and numbers that agree",
        *_about_metrics(comparisons),
        *_about_the_unchecked(checked),
        *_about_problems(problems),
    ):
        print(line)
    seconds = f"{time.monotonic() - began:.1f} s"
    print(f"{len(problems)} damaged or different ({seconds})" if problems else f"sound ({seconds})")
    return not problems


def _differing(comparisons: Iterable[Comparison], checked: Checked) -> Iterator[Problem]:
    for one in comparisons:
        for difference in one.differing:
            what = f"{difference}; expected to agree {one.how}"
            yield Problem(one.file, what, checked.repairs.remake(one.stage))


def _about_bytes(checked: Checked) -> Iterator[str]:
    inventory = checked.inventory
    for where, files in (
        ("workspace", inventory.workspace.values()),
        ("DVC's cache", inventory.objects.values()),
    ):
        size = sum(content.size for content in files) / 1e6
        yield f"{where}: {len(files)} files, {size:.1f} MB, each byte read"
    yield f"DVC's run cache: {len(inventory.runs)} outcomes of stages"


def _about_metrics(comparisons: Iterable[Comparison]) -> Iterator[str]:
    stages = defaultdict(list)
    for one in comparisons:
        stages[one.how].append(one.stage)
    for how, compared in stages.items():
        yield f"metrics beside HEAD's, {how}: {', '.join(compared)}"


def _about_the_unchecked(checked: Checked) -> Iterator[str]:
    outs = defaultdict(set)
    for work in checked.in_use:
        outs[work.who].add(work.path)
    for who, paths in outs.items():
        yield f"{who} is at work on {', '.join(sorted(paths))}: not checked"
    absent = absent_outs(checked.expected, checked.inventory)
    if absent:
        missing = f"{len(absent)} of {len(checked.expected.outs)} outs"
        yield f"not on this machine: {missing}; `dvc pull` or `make run` brings them"


def _about_problems(problems: Sequence[Problem]) -> Iterator[str]:
    """Each problem, and after those that one command mends, that command."""
    by_repair = defaultdict(list)
    for problem in problems:
        by_repair[problem.repair].append(problem)
    for repair, mended in by_repair.items():
        for problem in mended:
            yield f"{problem.file}: {problem.what}"
        yield f"    {repair}"
    if problems:
        yield "the commands need `export PATH=$PWD/.venv/bin:$PATH PYTHONPATH=src`"
