"""Single flipped bits in outs and DVC's cache: `dvcview verify` finds each, its command mends it.

`python -m tests.stress.bit_flips --flips 1000 --seed 1` works on a copy of a small run of the
course, or of the finished project that `--project` names. Every second flip leaves the file's time
as it was, so that DVC itself does not notice it.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from pathlib import Path

from tqdm import tqdm

from dvcview.verify.check import Checked, check_bytes
from dvcview.verify.problem import Problem

REPAIRED_ROUNDS = 15  # in one round of so many the command of every kind is run
CHEAP = ("digits", "photos", "features", "perceptron")  # stages that are made again in seconds


@dataclass
class Outcome:
    """What became of the flips of one kind."""

    injected: int = 0
    found: int = 0
    commands: int = 0
    repaired: int = 0

    def row(self, kind: str) -> str:
        """A line of the table."""
        return f"| {kind} | {self.injected} | {self.found} | {self.commands} | {self.repaired} |"


@dataclass(frozen=True)
class Flip:
    """One bit of a file, and what the file was before."""

    file: Path
    before: bytes
    stat: os.stat_result

    @classmethod
    def at_random(cls, file: Path, rng: random.Random, *, keep_time: bool) -> Flip:
        """Flip any bit of a file, in place; its mode stays as it is."""
        flip = cls(file, file.read_bytes(), file.stat())
        damaged = bytearray(flip.before)
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        flip._write(bytes(damaged), keep_time=keep_time)
        return flip

    def undo(self) -> None:
        """Put the file back as it was, time and all."""
        self._write(self.before, keep_time=True)

    def is_mended(self) -> bool:
        """Whether the file is as it was before."""
        return self.file.exists() and self.file.read_bytes() == self.before

    def _write(self, content: bytes, *, keep_time: bool) -> None:
        if self.file.exists():
            self.file.chmod(0o644)
        with self.file.open("r+b" if self.file.exists() else "wb") as file:
            file.write(content)
        self.file.chmod(self.stat.st_mode)
        if keep_time:
            os.utime(self.file, ns=(self.stat.st_atime_ns, self.stat.st_mtime_ns))


Way = tuple[str, bool]  # what is flipped, and whether its time is kept
Choice = tuple[str, ...]  # files that are damaged together, by their names in the project


def choices(intact: Checked) -> Mapping[str, list[Choice]]:
    """What can be damaged, by kind."""
    manifest, files = intact.manifest, intact.expected.files
    listings = [name for name in manifest.objects if name.endswith(".dir")]
    return {
        "file": [(f.path,) for f in files if f.path == f.out.path and not f.out.in_git],
        "file in a folder": [(f.path,) for f in files if f.path != f.out.path],
        "file that git keeps": [(f.path,) for f in files if f.out.in_git],
        "object": [(manifest.object_path(n),) for n in manifest.objects if n not in listings],
        "object that lists a folder": [(manifest.object_path(name),) for name in listings],
        "outcome in the run cache": [(manifest.short(file),) for file in manifest.runs],
        "file and its object": [
            (f.path, manifest.object_path(f.md5))
            for f in files
            if f.out.stage in CHEAP and not f.out.in_git
        ],
    }


def main() -> None:
    """Run the campaign, print its table; exit code 1 when a flip was missed or not mended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--project", type=Path, help="a finished project (default: a small one)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch) / "project"
        ignored = shutil.ignore_patterns("mlruns", ".dlvc", ".dvcview", "__pycache__", ".venv")
        shutil.copytree(arguments.project or small_course(Path(scratch)), project, ignore=ignored)
        failures = run_rounds(project, arguments.flips, arguments.seed, print)
    raise SystemExit(1 if failures else 0)


def small_course(scratch: Path) -> Path:
    """A finished project: the course at the size of the tests, committed."""
    tests = import_module("tests.pipeline.project")  # they are not typed
    (scratch / "course").mkdir()
    course = tests.Project.copy(scratch / "course", tests.SMALL)
    course.dvc("repro")
    course.commit("the course has run")
    return Path(course.root)


def run_rounds(project: Path, flips: int, seed: int, report: Callable[[str], None]) -> list[str]:
    """Flip that many bits, tell the failures and a table; the failures."""
    shell(project, "dvc status --quiet")  # so that DVC has an md5 of each file in mind
    intact = check_bytes(project)
    failures = [f"before any flip: {problem}" for problem in intact.problems]
    rng = random.Random(seed)  # the same flips again, no secret
    possible, related = choices(intact), relatives(intact)
    ways = [(kind, keep_time) for kind in possible for keep_time in (False, True)]
    outcomes = {way: Outcome() for way in ways}
    bar = tqdm(total=flips, desc="flips", unit="flip", disable=None)
    for number, batch in enumerate(batches(ways, flips)):
        chosen = choose(batch, possible, related, rng)
        made = {
            way: [Flip.at_random(project / file, rng, keep_time=way[1]) for file in files]
            for way, files in chosen.items()
        }
        alone = len(batch) == 1
        problems = check_bytes(project).problems
        damaged = {file for files in chosen.values() for file in files}
        failure = missed(problems, damaged)
        if not failure and alone and number < len(possible):
            failure = untold(project, damaged)
        for way in batch:
            outcomes[way].injected += 1
            outcomes[way].found += not failure
            if alone and not failure:
                outcomes[way].commands += 1
                failure = not_mended(project, made[way], problems)
                outcomes[way].repaired += not failure
        if failure:
            failures.append(f"batch {number}, {chosen}: {failure}")
        for flip in (flip for its in made.values() for flip in its):
            flip.undo()
        bar.update(len(batch))
    bar.close()
    for failure in failures:
        report(failure)
    report("| one bit of | injected | found, and nothing else | commands run | mended |")
    report("|---|---|---|---|---|")
    for (kind, keep_time), outcome in outcomes.items():
        report(outcome.row(f"{kind}, its time {'kept' if keep_time else 'new'}"))
    report(f"seed {seed}: {flips} flips, {len(failures)} failures")
    return failures


def batches(ways: list[Way], flips: int) -> Iterator[list[Way]]:
    """Each turn flips one bit of every kind of file twice: with its time kept, and with a new one.
    Every fifteenth turn, one of the two is flipped and mended kind by kind."""
    new, kept = ways[::2], ways[1::2]
    for turn in count():
        alone, together = (new, kept) if turn % 2 else (kept, new)
        mended = turn % REPAIRED_ROUNDS == 0
        for batch in [*([way] for way in alone), together] if mended else [alone, together]:
            if flips <= 0:
                return
            yield batch[:flips]
            flips -= len(batch[:flips])


def choose(
    batch: list[Way],
    possible: Mapping[str, list[Choice]],
    related: Mapping[str, set[str]],
    rng: random.Random,
) -> dict[Way, Choice]:
    """Files for each way of a batch that have nothing to do with each other."""
    taken: set[str] = set()
    chosen: dict[Way, Choice] = {}
    for way in sorted(batch, key=lambda way: len(possible[way[0]])):  # while there is a choice
        free = [files for files in possible[way[0]] if taken.isdisjoint(files)]
        chosen[way] = rng.choice(free)
        for file in chosen[way]:
            taken |= related.get(file, {file})
    return chosen


def relatives(intact: Checked) -> dict[str, set[str]]:
    """For each file those that hold the same, list it, or are listed with it, and itself."""
    related: dict[str, set[str]] = defaultdict(set)
    for file in intact.expected.files:
        names = {file.path, *map(intact.manifest.object_path, (file.md5, file.out.md5))}
        for name in names:
            related[name] |= names
    return related


def missed(problems: Sequence[Problem], damaged: set[str]) -> str | None:
    """Whether damaged files are not found, or others are."""
    named = {problem.file for problem in problems}
    return None if named == damaged else f"named were {sorted(named)}"


def untold(project: Path, damaged: set[str]) -> str | None:
    """Whether the command itself does not say so."""
    done = shell(project, "dvcview verify")
    told = all(f"\n{file}: " in done.stdout for file in damaged)
    return None if told and done.returncode == 1 else f"{done.stdout}{done.stderr}"


def not_mended(project: Path, made: list[Flip], problems: Sequence[Problem]) -> str | None:
    """Whether the commands that are named do not bring the bytes back, or change something else."""
    lock = (project / "dvc.lock").read_bytes()
    commands = list(dict.fromkeys(problem.repair for problem in problems))
    said = "".join(f"\n{command}\n{shell(project, command)}" for command in commands)
    # What belongs to a former state has no copy: it is deleted, and made again when asked for.
    forgotten = all(command.startswith("rm ") and "&&" not in command for command in commands)
    if not all(flip.is_mended() or (forgotten and not flip.file.exists()) for flip in made):
        return f"not mended by{said}"
    if (project / "dvc.lock").read_bytes() != lock or check_bytes(project).problems:
        return f"mended, but something else is not as before, by{said}"
    return None


def shell(project: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the project's folder, as README says to."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "DLVC_", "MLFLOW_"))}
    environment = {**kept, "PATH": path, "PYTHONPATH": "src"}
    return subprocess.run(
        ["sh", "-c", command], cwd=project, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
