"""Trainings beside a process that keeps one core busy, and alone, in turn."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.measure import TURNS, in_a_process, written
from benchmarks.works import train_lenet, train_mlp, train_small_densenet

WORKS = {
    "MLP, three epochs per batch": train_mlp,
    "LeNet, an epoch": train_lenet,
    "DenseNet-121 at 32 px, an epoch": train_small_densenet,
}


def measure_beside_a_busy_process() -> Iterator[str]:
    """Three lines of the table."""
    for work, prepare in WORKS.items():
        alone, beside = [], []
        for _ in range(TURNS):
            alone.append(in_a_process(prepare)[0])
            with busy_process():
                beside.append(in_a_process(prepare)[0])
        ratio = statistics.median(beside) / statistics.median(alone)
        yield (
            f"| {work}, beside a busy process | | {written(statistics.median(beside))} "
            f"| {ratio:.2f} | times as long as alone ({written(statistics.median(alone))}) |"
        )


@contextmanager
def busy_process() -> Iterator[None]:
    """A process that never waits, in a session of its own, as one started in another terminal.

    Linux divides the processor between sessions first, so this is the harder case.
    """
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
    try:
        yield
    finally:
        process.kill()
        process.wait()
