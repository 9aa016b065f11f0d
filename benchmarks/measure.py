"""How anything is measured here: in turns, in one run, as medians, and as ratios."""

from __future__ import annotations

import multiprocessing
import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

Work = Callable[[], object]


@dataclass(frozen=True)
class Times:
    """Seconds of one piece of work, in several turns."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> str:
        """How far the turns lie apart, in per cent of the median."""
        return f"{100 * (max(self.seconds) - min(self.seconds)) / self.median:.0f} %"


def in_turn(works: Mapping[str, Work], turns: int) -> dict[str, Times]:
    """Each work once a turn, so that a slow minute of the machine is everybody's.

    A turn before the first warms caches, and is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(turns + 1):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            if turn:
                seconds[name].append(time.perf_counter() - began)
    return {name: Times(tuple(values)) for name, values in seconds.items()}


def peak_memory(work: Callable[..., object], *arguments: Any) -> float:
    """By how many megabytes a work, in a process of its own, raises the memory it has at most.

    `work` returns a function: what comes before it (imports, data) does not count.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report_peak, args=(sender, work, arguments))
    process.start()
    sender.close()
    peak: float = receiver.recv()
    process.join()
    return peak


def _report_peak(sender: Any, work: Callable[..., Work], arguments: Sequence[Any]) -> None:
    torch.set_num_threads(2)
    prepared = work(*arguments)
    before = _resident()
    prepared()
    sender.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before)


def _resident() -> float:
    """Megabytes that this process holds now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def machine() -> str:
    """What a table was measured on."""
    cpu = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    capability = torch.backends.cpu.get_cpu_capability()
    return (
        f"{torch.get_num_threads()} threads on {cpu} ({capability}), {platform.system()}, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )
