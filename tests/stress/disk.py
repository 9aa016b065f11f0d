"""Runs on a disk that fills up at a random place, and what the next `dlvc run` makes of it.

`unshare --mount python -m tests.stress.disk --runs 20 --seed 1`, as root (as another user with
`--map-root-user` besides): a small course lies on a file system in memory. A stage is made new,
the objects of its outs are taken from DVC's cache, and so much room is left as was drawn at random.
The run must end well or say that there is no room, in one line; nothing may be damaged, no file
may be half written under its own name. With more room, the next run must leave the same bytes.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dvcview.project.lockfile import Pipeline
from dvcview.verify.check import check_bytes
from tests.pipeline.project import Project
from tests.stress.undisturbed import differences, lock_of, run_undisturbed, with_new

ROOM = 2 << 30  # bytes of the file system, when there is room
NO_ROOM = "No space left on device"
ABSENT = ("missing", "not there")  # what may be said of an out that could not be written


@dataclass
class FullDisk:
    """One run, the room that it had, how it ended, and what was wrong."""

    stage: str
    room: int
    line: str = "enough room"
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.stage:24} {self.room:>11,} bytes  {'; '.join(self.wrong) or self.line}"


def main() -> None:
    """Run as often as was asked for; exit code 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="tests.stress.disk", allow_abbrev=False)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        reference = run_undisturbed(Path(scratch) / "undisturbed")
        found = []
        for run in fill(reference, arguments.runs, arguments.seed, Path(scratch) / "disk"):
            print(run, flush=True)
            found.append(run)
    full = sum(run.line != "enough room" for run in found)
    bad = sum(bool(run.wrong) for run in found)
    print(f"{len(found)} runs, {full} without enough room; {bad} ended otherwise than they should")
    if bad:
        raise SystemExit(1)


def fill(reference: Project, runs: int, seed: int, disk: Path) -> Iterator[FullDisk]:
    """Runs on a disk of its own, which must not be there yet."""
    rng = random.Random(seed)  # chance, not secrecy
    stages = [stage for stage in lock_of(reference)["stages"] if stage != "params"]
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "dlvc", str(disk)], check=True)
    try:
        for number in range(runs):
            stage = stages[number % len(stages)]
            project = with_new(reference, stage, disk / "project")
            yield run_out_of_room(reference, project, stage, rng)
            shutil.rmtree(project.root)
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def run_out_of_room(
    reference: Project, project: Project, stage: str, rng: random.Random
) -> FullDisk:
    """One run with little room, and one with enough."""
    run = FullDisk(stage, rng.randrange(2 * forget_outs(project, stage)))
    resize(project, shutil.disk_usage(project.root).used + run.room)
    done = project.call("dlvc", "run", ok=False)
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if NO_ROOM in line]
        run.line = told[0] if told else "?"
        if not told or "Traceback" in done.stderr:
            run.wrong.append(f"it said: {done.stderr[-600:]}")
        damaged = [str(problem) for problem in check_bytes(project.root).problems]
        run.wrong += [p for p in damaged if not any(word in p for word in ABSENT)]
    resize(project, ROOM)
    last = project.call("dlvc", "run", ok=False)
    if last.returncode:
        run.wrong.append(f"with room: {last.stderr[-600:]}")
    run.wrong += differences(reference, project)
    return run


def forget_outs(project: Project, stage: str) -> int:
    """Delete the outs of a stage, as DVC will, and their objects; how many bytes they had."""
    pipeline = Pipeline(project.root, project.root, None)
    state = pipeline.states()[stage]
    size = 0
    for path, md5 in {**pipeline.files(state), **state.outs}.items():
        out = project.root / path
        if out.is_file():
            size += out.stat().st_size
            out.unlink()
        (pipeline.cache / md5[:2] / md5[2:]).unlink(missing_ok=True)
    return size


def resize(project: Project, size: int) -> None:
    """Give the file system so many bytes."""
    words = ["mount", "-o", f"remount,size={max(size, 1)}", str(project.root.parent)]
    subprocess.run(words, check=True)


if __name__ == "__main__":
    main()
