"""The default run of the whole course in a clone, and what a stage takes beyond its own work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WHOLE = 90  # seconds
NOTHING = 2
BEYOND = 3
STAGE = r"Running stage '(.*)':"


def lines_of(folder: Path, *words: str) -> Iterator[tuple[float, str]]:
    """What a command says, with the second at which it says it."""
    environment = {**os.environ, "PYTHONPATH": "src", "PYTHONUNBUFFERED": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    began = time.perf_counter()
    with subprocess.Popen(
        words, cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        for line in process.stdout or ():
            yield time.perf_counter() - began, line
    yield time.perf_counter() - began, "end"
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}")


def beyond_their_work(lines: list[tuple[float, str]]) -> dict[str, float]:
    """Seconds of each training stage, less its epochs.

    The first epoch is taken to be as long as the others are in the mean: its line comes after the
    imports.
    """
    beyond = {}
    stages = [(second, match[1]) for second, line in lines if (match := re.match(STAGE, line))]
    ends = [second for second, _ in stages[1:]] + [
        next(second for second, line in lines if line.startswith("Use `dvc push`"))
    ]
    for (began, stage), end in zip(stages, ends, strict=True):
        epochs = [s for s, line in lines if began <= s < end and line.startswith("epoch ")]
        if len(epochs) > 1:
            work = (epochs[-1] - epochs[0]) * len(epochs) / (len(epochs) - 1)
            beyond[stage] = end - began - work
    return beyond


def measure_pipeline() -> Iterator[str]:
    """Three lines of the table."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "dlvc"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        (clone / "dvc.lock").unlink()  # the committed state would be taken as done where it fits
        for _ in lines_of(clone, sys.executable, "tools/compile_numba.py"):
            pass  # part of the set-up
        lines = list(lines_of(clone, "dlvc", "run"))
        nothing = [list(lines_of(clone, "dlvc", "run"))[-1][0] for _ in range(3)]
    whole = lines[-1][0]
    beyond = beyond_their_work(lines)
    slowest = max(beyond, key=lambda stage: beyond[stage])
    median = sorted(beyond.values())[len(beyond) // 2]
    for work, seconds, target, note in (
        ("the default run", whole, WHOLE, ""),
        ("nothing to do: `dlvc run`", sorted(nothing)[1], NOTHING, ""),
        ("a training stage beyond its epochs", median, BEYOND,
         f"median of {len(beyond)}; most: {slowest}, {beyond[slowest]:.1f} s"),
    ):  # fmt: skip
        met = "yes" if seconds <= target else "**no**"
        yield f"| {work} | | {seconds:.1f} s | | {target} s | {met} | {note} |"
