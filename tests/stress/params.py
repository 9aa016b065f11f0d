"""Broken parameters, by the thousand: each is refused in one line that names the key or the place.

`python -m tests.stress.params --inputs 10000 --seed 1` sends each through what `dlvc run` calls
before DVC starts. What is taken as valid must be what DVC's own parser reads in the file.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from ruamel.yaml import YAML

from dlvc.params.overrides import (
    PROFILES,
    as_overrides,
    check_overlay,
    parse_overrides,
    read_profile,
)
from dlvc.params.reader import Params, read_params
from dvcview.errors import UserError
from dvcview.project.params import PARAMS_FILE
from tests.stress.broken_params import KINDS, Broken

PATIENCE = 60  # seconds for one input, also on a machine with other work
MEMORY = 1 << 30  # bytes beyond what Python has taken before
LONGEST_LINE = 300  # characters
ROOT = Path(__file__).resolve().parents[2]


class TooLongError(BaseException):
    """No `except Exception` on the way may take it for a broken file."""


@dataclass
class Outcome:
    """What became of the inputs of one kind."""

    inputs: int = 0
    refused: int = 0
    findings: int = 0
    slowest: float = 0.0  # seconds of the processor

    def row(self, kind: str) -> str:
        """A line of the table."""
        accepted = self.inputs - self.refused - self.findings
        counts = f"{self.inputs} | {self.refused} | {accepted} | {self.findings}"
        return f"| {kind} | {counts} | {self.slowest:.2f} |"


def main() -> None:
    """Run the campaign, print its table; exit code 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    _, limit = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, limit))
    found = run_rounds(arguments.inputs, arguments.seed, print)
    raise SystemExit(1 if found else 0)


def run_rounds(inputs: int, seed: int, report: Callable[[str], None]) -> list[str]:
    """Try that many inputs, tell the findings and a table of outcomes; the findings."""
    text = (ROOT / PARAMS_FILE).read_text(encoding="utf-8")
    rng = random.Random(seed)  # the same inputs again, no secret
    outcomes: dict[str, Outcome] = {kind: Outcome() for kind in KINDS}
    found: list[str] = []
    with tempfile.TemporaryDirectory() as scratch, chdir(scratch):
        shutil.copytree(ROOT / PROFILES, PROFILES)
        for number in range(inputs):
            kind = [*KINDS][number % len(KINDS)]
            broken = KINDS[kind](rng, text)
            outcome = outcomes[kind]
            outcome.inputs += 1
            began = time.process_time()
            finding, refused = judge(broken)
            outcome.slowest = max(outcome.slowest, time.process_time() - began)
            outcome.refused += refused
            if finding:
                outcome.findings += 1
                found.append(f"{kind}, input {number}: {finding}")
                report(found[-1])
    report(
        "| kind | inputs | refused | valid | findings | slowest [s] |\n|---|---|---|---|---|---|"
    )
    for kind, outcome in outcomes.items():
        report(outcome.row(kind))
    report(f"seed {seed}: {inputs} inputs, {len(found)} findings")
    return found


def judge(broken: Broken) -> tuple[str | None, bool]:
    """What is wrong with how an input was taken, and whether it was rightly refused."""
    with placed(broken):
        before = _everything()
        message = None
        try:
            with _time_limit():
                check(broken)
        except UserError as error:
            message = str(error)
        except (Exception, TooLongError) as error:
            return f"{type(error).__name__}: {str(error)[:200]}", False
        if _everything() != before:
            return "files have changed", False
        finding = about_accepted(broken) if message is None else about_message(message, broken)
        return finding, message is not None and finding is None


def check(broken: Broken) -> None:
    """What `dlvc run` does before it starts DVC."""
    values: dict[str, Any] = read_profile(broken.profile) if broken.profile is not None else {}
    values |= parse_overrides(broken.words)
    if values:
        check_overlay(values, "the values given")
        as_overrides(values)
    else:
        read_params()


def about_message(message: str, broken: Broken) -> str | None:
    """What is wrong with the line that refuses an input."""
    if broken.valid:
        return f"refused what is valid: {message}"
    if not message.isprintable():
        return f"not one printable line: {message!r}"
    if len(message) > LONGEST_LINE:
        return f"{len(message)} characters: {message}"
    if broken.names not in message:
        return f"does not name {broken.names}: {message}"
    return None


def about_accepted(broken: Broken) -> str | None:
    """What is wrong with an input that was taken as valid."""
    if broken.valid is False:
        return f"taken as valid: {broken.shown()}"
    if broken.words or broken.profile is not None:
        return None
    theirs = Params.model_validate(YAML(typ="safe").load(PARAMS_FILE.read_bytes()))
    if theirs != read_params():
        return f"DVC reads something else: {broken.shown()}"
    return None


@contextmanager
def placed(broken: Broken) -> Iterator[None]:
    """The files of an input in the working folder, beside the profiles."""
    file = PROFILES / "mine.yaml" if broken.in_profile else PARAMS_FILE
    if broken.in_profile:
        shutil.copy(ROOT / PARAMS_FILE, PARAMS_FILE)
    make = SPECIAL.get(broken.special or "")
    with socket.socket(socket.AF_UNIX) as listener:
        if make:
            make(file, listener)
        else:
            file.write_bytes(broken.content)
        try:
            yield
        finally:
            shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)
            PARAMS_FILE.unlink(missing_ok=True)


def _large(file: Path, _: socket.socket) -> None:
    with file.open("wb") as large:
        large.truncate(100_000_000)


SPECIAL: dict[str, Callable[[Path, socket.socket], object]] = {
    "absent": lambda file, _: file.unlink(missing_ok=True),
    "a folder": lambda file, _: file.mkdir(),
    "a pipe": lambda file, _: os.mkfifo(file),
    "a link to nothing": lambda file, _: file.symlink_to("nothing"),
    "a link to itself": lambda file, _: file.symlink_to(file.name),
    "an endless device": lambda file, _: file.symlink_to("/dev/zero"),
    "a socket": lambda file, listener: listener.bind(str(file)),
    "100 MB": _large,
}


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TooLongError(f"more than {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _everything() -> list[tuple[str, int, int]]:
    """All names in the working folder, with size and time of change."""
    stats = [(str(path), path.lstat()) for path in sorted(Path().rglob("*"))]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


if __name__ == "__main__":
    main()
