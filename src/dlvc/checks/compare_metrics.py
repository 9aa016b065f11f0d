"""Compare the metrics with the committed ones: exactly, or within a tolerance."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dvcview.files.artifacts import read_json
from dvcview.project.git import git_bytes, head_commit
from dvcview.project.lockfile import Pipeline, StageState
from dvcview.verify.check import Checked
from dvcview.verify.problem import Problem
from dvcview.verify.verify import Findings

METRICS = "metrics.json"
COMPUTED = "computed"  # key of metrics.json: what the last digits depend on besides the state
# These parameters change the last digits of a result and not its meaning. `runtime.precision` is
# not among them, because fewer digits in every product change more than the last digits.
LAST_DIGITS = tuple(
    f"runtime.{key}" for key in ("device", "threads", "memory_format", "compile", "reproducible")
)
SHOWN = 3  # names of differing inputs


@dataclass(frozen=True)
class Tolerance:
    """How far a metric may be from the committed one if it was computed in another way."""

    accuracy: float  # absolute
    loss: float  # relative

    def allows(self, key: str, found: Any, committed: Any) -> bool:
        """Whether two values of a metric agree; metrics other than accuracy and loss must be equal.

        >>> Tolerance(accuracy=0.01, loss=0.001).allows("test_accuracy", 0.912, 0.905)
        True
        >>> Tolerance(accuracy=0.01, loss=0.001).allows("train_loss", 0.5, 0.502)
        False
        """
        if "accuracy" in key:
            return bool(abs(found - committed) <= self.accuracy)
        if "loss" in key:
            return bool(abs(found - committed) <= self.loss * abs(committed))
        return bool(found == committed)


EXACTLY = Tolerance(accuracy=0, loss=0)
# Largest differences seen between default runs on two generations of processors (Zen 3 with AVX2,
# Zen 4 with AVX-512), accuracies absolute and losses relative: perceptron 0 and 8e-8, per epoch 0
# and 2e-8, per batch 2e-4 and 2e-4, per sample 0.0023 and 0.31 (60,000 updates, and a loss of 0.02
# at their end), optimizers 3e-4 and 2e-4, LeNet 2e-4 and 6e-4, DenseNet 0.018 and 0.036. In the
# small course of the tests, with one thread and with two: update rules 8e-4 of the loss, LeNet
# 0.0025 and 3e-5, DenseNet 0.03 and 0.021. The tolerances are at least about three times as large.
TOLERANCES: Mapping[str, Tolerance] = MappingProxyType(
    {
        "perceptron": Tolerance(accuracy=0.01, loss=1e-4),
        "update_rules@per_epoch": Tolerance(accuracy=0.01, loss=1e-3),
        "update_rules@per_batch": Tolerance(accuracy=0.01, loss=1e-2),
        "update_rules@per_sample": Tolerance(accuracy=0.01, loss=1),
        "optimizers@sgd": Tolerance(accuracy=0.01, loss=1e-3),
        "optimizers@momentum": Tolerance(accuracy=0.01, loss=1e-3),
        "optimizers@adam": Tolerance(accuracy=0.01, loss=1e-3),
        "lenet": Tolerance(accuracy=0.02, loss=3e-3),
        "densenet": Tolerance(accuracy=0.1, loss=0.15),
    }
)


@dataclass(frozen=True)
class Comparison:
    """The comparison of one stage: how it was made, and the metrics that differ."""

    stage: str
    file: str
    how: str
    differing: tuple[str, ...] = ()


def compare_metrics(
    root: Path, states: Mapping[str, StageState], intact: Set[str]
) -> Iterator[Comparison]:
    """Compare the metrics of each stage with those of HEAD, if both have the same inputs."""
    committed = Pipeline(root, None, "HEAD").states() if head_commit(root) else {}
    for stage, state in states.items():
        file = (state.folder / METRICS).as_posix()
        if file not in state.outs or file not in intact:
            continue
        content = git_bytes(root, "show", f"HEAD:./{file}")
        if content is None or stage not in committed:
            yield Comparison(stage, file, "not compared, HEAD has none")
            continue
        reason = other_inputs(state, committed[stage])
        if reason:
            yield Comparison(stage, file, f"not compared, another {reason} than HEAD's")
        else:
            yield _compare(state, committed[stage], file, read_json(root / file), content)


def other_inputs(state: StageState, committed: StageState) -> str:
    """The parameters and deps in which two states differ, except `LAST_DIGITS`."""
    inputs = [
        {key: value for key, value in {**its.params, **its.deps}.items() if key not in LAST_DIGITS}
        for its in (state, committed)
    ]
    keys = sorted({key for one in inputs for key in one})
    differing = [key for key in keys if inputs[0].get(key) != inputs[1].get(key)]
    more = f" and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
    return ", ".join(differing[:SHOWN]) + more


def _compare(
    state: StageState, committed: StageState, file: str, found: Any, content: bytes
) -> Comparison:
    before = json.loads(content)
    ways = found.get(COMPUTED), before.get(COMPUTED)
    same_runtime = all(state.params.get(key) == committed.params.get(key) for key in LAST_DIGITS)
    if None in ways:
        how, allowed = "within tolerance, unknown how it was computed", TOLERANCES[state.stage]
    elif ways[0] == ways[1] and same_runtime:
        how, allowed = "exactly, computed the same way", EXACTLY
    else:
        how, allowed = "within tolerance, computed another way", TOLERANCES[state.stage]
    differing = tuple(
        f"{key} is {found.get(key)}, in HEAD {before.get(key)}"
        for key in {**before, **found}
        if key != COMPUTED and not _agrees(allowed, key, found, before)
    )
    return Comparison(state.stage, file, how, differing)


def _agrees(allowed: Tolerance, key: str, found: Any, before: Any) -> bool:
    return key in found and key in before and allowed.allows(key, found[key], before[key])


def check_metrics(root: Path, checked: Checked) -> Findings:
    """Compare the metrics of intact files with the committed ones."""
    comparisons = list(compare_metrics(root, checked.states, checked.intact))
    stages = defaultdict(list)
    for comparison in comparisons:
        stages[comparison.how].append(comparison.stage)
    lines = [
        f"metrics compared with HEAD's, {how}: {', '.join(compared)}"
        for how, compared in stages.items()
    ]
    problems = [
        Problem(
            comparison.file,
            f"{difference}; expected to agree {comparison.how}",
            checked.repairs.remake(comparison.stage),
        )
        for comparison in comparisons
        for difference in comparison.differing
    ]
    return Findings(lines, problems)
