"""How anything is measured here: in turns, in one run, as medians, and as ratios."""

from __future__ import annotations

import multiprocessing
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

TURNS = 3  # of every table
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


def in_a_process(prepare: Callable[..., Work], *arguments: Any) -> tuple[float, float]:
    """Seconds of a work in a process of its own, and by how many megabytes it raises its memory.

    `prepare` returns the work: what comes before (imports, data) does not count.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(sender, prepare, arguments))
    process.start()
    sender.close()
    seconds, megabytes = receiver.recv()
    process.join()
    return seconds, megabytes


def _report(sender: Any, prepare: Callable[..., Work], arguments: Sequence[Any]) -> None:
    work = prepare(*arguments)
    before = _memory("VmRSS")
    began = time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    # Not ru_maxrss: a new process starts with what its parent had.
    sender.send((seconds, _memory("VmHWM") - before))


def _memory(name: str) -> float:
    """Megabytes that this process holds now (VmRSS), or has held at most (VmHWM); Linux."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith(name)]
    return int(line.split()[1]) / 1024


def written(seconds: float) -> str:
    """A time with its unit.

    >>> written(0.0000123), written(0.5), written(7), written(200)
    ('12.3 µs', '500 ms', '7.00 s', '200 s')
    """
    if seconds >= 1:
        return f"{seconds:.0f} s" if seconds >= 100 else f"{seconds:.2f} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


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
