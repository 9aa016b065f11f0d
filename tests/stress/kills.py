"""Runs that are killed at random moments, and what the next `dlvc run` makes of it.

`python -m tests.stress.kills --kills 100 --seed 1` runs a small course once, undisturbed, and then
again and again: one stage of it is made new (now and then all of them), something is killed at a
moment drawn at random, the run is started again at once (and killed again, now and then) until it
ends. Then dvc.lock, every out and `git status` must be what the undisturbed run left, byte for
byte, no process may be left over, and not much may have been done twice.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.pipeline.project import Project, Started
from tests.stress.undisturbed import (
    ALL,
    differences,
    lock_of,
    run_undisturbed,
    with_new,
    words_of,
)

# Who is killed: a word of its command. "all" are DVC and everything in its group of processes.
KILLED = {"stage": "src/stage.py", "dvc": "dvc", "command": "run"}
VICTIMS = (*KILLED, "all", "all", "Ctrl-C", "SIGTERM")
# When: after a time drawn at random, or the moment that something is being written.
WRITTEN = {
    "an out": ("results/**/.*.partial", "data/**/.*.partial"),
    "a checkpoint": (".dlvc/checkpoints/.*.partial",),
    "dvc.lock": (),
}
MOMENTS = ("any time", "any time", "an epoch", *WRITTEN)
TWICE = 0.3  # of the runs are disturbed a second time
WHOLE = 0.05  # of the runs are of all stages
PATIENCE = 2700  # seconds for one run
LATEST = 12  # seconds after its start at which a run is killed at any time
GLANCE = 0.0005  # seconds between two looks


@dataclass
class Disturbed:
    """One run that was disturbed, and what was wrong with its end."""

    number: int
    stage: str
    kills: list[str] = field(default_factory=list)
    repeated: float = 0  # seconds of work that were done twice, at most
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        ending = "; ".join(self.wrong) or "the same bytes"
        return f"{self.number:4} {self.stage:24} {', '.join(self.kills):48} {ending}"


def main() -> None:
    """Disturb as many runs as were asked for; exit code 1 if one ended otherwise."""
    parser = argparse.ArgumentParser(prog="tests.stress.kills", allow_abbrev=False)
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        reference = run_undisturbed(Path(scratch) / "undisturbed")
        print(f"undisturbed: {time.monotonic() - began:.0f} s", flush=True)
        found = []
        for run in disturb(reference, arguments.kills, arguments.seed, Path(scratch)):
            print(run, flush=True)
            found.append(run)
    print(summary(found), f"{(time.monotonic() - began) / 60:.0f} minutes.")
    if any(run.wrong for run in found):
        raise SystemExit(1)


def disturb(
    reference: Project, kills: int, seed: int, scratch: Path, stages: Sequence[str] = ()
) -> Iterator[Disturbed]:
    """Runs with so many kills in all, of these stages in turn. Without any, of every stage in turn,
    and now and then of all at once."""
    rng = random.Random(seed)  # chance, not secrecy
    names = stages or list(lock_of(reference)["stages"])
    number = done = 0
    while done < kills:
        whole = rng.random() < WHOLE and not stages
        stage = ALL if whole else names[number % len(names)]
        number += 1
        project = with_new(reference, stage, scratch / f"disturbed-{number}")
        run = Disturbed(number, stage)
        run_through(project, run, rng, limit=kills - done)
        run.wrong += differences(reference, project)
        done += len(run.kills)
        shutil.rmtree(project.root)
        yield run


def run_through(project: Project, run: Disturbed, rng: random.Random, limit: int) -> None:
    """`dlvc run`, disturbed once or twice, until it ends by itself."""
    started = []
    for _ in range(min(limit, 1 + (rng.random() < TWICE))):
        process = project.start("dlvc", "run")
        started.append(process)
        moment, victim = rng.choice(MOMENTS), rng.choice(VICTIMS)
        wait_until(has_come(moment, project, process, rng), process)
        at = time.time()
        hit = kill(project, process, victim)
        run.kills.append(f"{victim} at {moment}{'' if hit else ' (was not there)'}")
        run.repeated = max(run.repeated, unsaved(project, at))
        if victim in ("Ctrl-C", "SIGTERM"):  # they ask, and are waited for
            process.wait(PATIENCE)
    last = project.start("dlvc", "run")
    said = last.said(PATIENCE)
    for process in started:
        process.said(PATIENCE)
    if last.returncode:
        run.wrong.append(f"exit code {last.returncode}: {said[-600:]}")
    if "Traceback" in said:
        run.wrong.append("a traceback")


def has_come(
    moment: str, project: Project, process: Started, rng: random.Random
) -> Callable[[], bool]:
    """A function that says whether the moment has come."""
    latest = time.monotonic() + rng.uniform(0, LATEST)
    skip = rng.randrange(4)  # so many such moments first
    lock = project.root / "dvc.lock"
    before = lock.stat().st_mtime_ns if lock.exists() else 0
    seen: set[str] = set()

    def written() -> bool:
        with suppress(FileNotFoundError):  # DVC deletes a folder in which we look
            for glob in WRITTEN[moment]:
                seen.update(map(str, project.root.glob(glob)))
        return len(seen) > skip

    return {
        "any time": lambda: time.monotonic() > latest,
        "an epoch": lambda: process.text().count("\nepoch ") > skip,
        "dvc.lock": lambda: lock.exists() and lock.stat().st_mtime_ns != before,
    }.get(moment, written)


def wait_until(come: Callable[[], bool], process: Started) -> None:
    """Until the moment has come, or the run has ended."""
    while process.poll() is None and not come():
        time.sleep(GLANCE)


def kill(project: Project, process: Started, victim: str) -> bool:
    """Kill, or ask to end; whether there was anybody."""
    if process.poll() is not None:
        return False
    if victim == "all":
        os.killpg(process.pid, signal.SIGKILL)
    elif victim == "Ctrl-C":  # as a terminal sends it
        os.killpg(process.pid, signal.SIGINT)
    elif victim == "SIGTERM":
        process.terminate()
    else:
        word = KILLED[victim]
        found = [member for member in project.processes() if word in map(name, words_of(member))]
        if victim == "command":
            found = [member for member in found if member.pid == process.pid]
        for member in found:
            try:
                member.kill()
            except psutil.Error:  # it has just ended
                continue
        return bool(found)
    return True


def name(word: str) -> str:
    """Of a program, also where its folder stands before it."""
    return word.rpartition("/")[2]


def unsaved(project: Project, at: float) -> float:
    """The seconds since a stage began its work or last wrote a checkpoint."""
    saved = (project.root / ".dlvc/checkpoints").glob("*.pt")
    begun = (project.root / ".dvcview/stages").glob("*.lock")
    moments = []
    for file in (*saved, *begun):
        with suppress(FileNotFoundError):
            moments.append(file.stat().st_mtime)
    return max(0.0, at - max(moments, default=at))


def summary(found: list[Disturbed]) -> str:
    """A table by who was killed when, and what it came to."""
    kinds = Counter(kill for run in found for kill in run.kills)
    hits = sum(number for kind, number in kinds.items() if "was not there" not in kind)
    bad = sum(bool(run.wrong) for run in found)
    return "\n".join(
        [
            "| killed, and when | times |",
            "|---|---|",
            *(f"| {re.sub('^command', 'dlvc run', k)} | {n} |" for k, n in sorted(kinds.items())),
            "",
            f"{sum(kinds.values())} kills, {hits} of them hit, in {len(found)} runs of "
            f"{len({run.stage for run in found})} kinds; {bad} ended otherwise; at most "
            f"{max((run.repeated for run in found), default=0):.1f} s of work were done twice;",
        ]
    )


if __name__ == "__main__":
    main()
