"""Feed damaged files to every reader: each must end in a value or in one line that says why not.

    python -m tests.stress.fuzz --inputs 10000 --seed 0

A finding is anything else: another exception, a line that does not name the file, a crash of the
interpreter, more than five seconds, more memory than the reader's bound, a file written, a program
started or a connection opened. The input is kept in `.dlvc/fuzz/`. Linux only (/proc, RLIMIT_AS).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dvcview.errors import UserError, first_line
from tests.stress.mutations import mutate
from tests.stress.readers import READERS, Reader

HANG = 5.0  # seconds for one input
START = 120.0  # seconds for a process to import and to read the intact files
MOST_FINDINGS = 20  # of one reader; then it is clear enough
KEPT = Path(".dlvc/fuzz")
READ, REFUSED = "read", "refused"
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FORBIDDEN = {  # audit events of what no reader does
    "os.chmod", "os.exec", "os.fork", "os.forkpty", "os.link", "os.mkdir", "os.posix_spawn",
    "os.remove", "os.rename", "os.rmdir", "os.spawn", "os.symlink", "os.system", "os.truncate",
    "pickle.find_class", "socket.bind", "socket.connect", "subprocess.Popen",
}  # fmt: skip


@dataclass
class Outcome:
    """What came of one reader's inputs."""

    name: str
    read: int = 0
    refused: int = 0
    findings: list[str] = field(default_factory=list)
    peak: int = 0  # MB, beyond what the process has before the first input
    seconds: float = 0.0


def fuzz(reader: Reader, inputs: int, seed: int, kept: Path) -> Outcome:
    """Feed `inputs` damaged files to one reader, in a process that is replaced after a finding.

    Args:
        reader: what is fuzzed.
        inputs: how many files; file n of a seed is always the same.
        seed: decides the damage.
        kept: the folder for the inputs of findings.
    """
    outcome = Outcome(reader.name)
    begin = time.monotonic()
    index = 0
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "input"
        while index < inputs and len(outcome.findings) < MOST_FINDINGS:
            for result, peak in _results(reader, range(index, inputs), seed, path):
                outcome.peak = max(outcome.peak, peak)
                outcome.read += result == READ
                outcome.refused += result == REFUSED
                if result not in (READ, REFUSED):
                    kept.mkdir(parents=True, exist_ok=True)
                    copy = kept / f"{reader.name.replace(' ', '-')}-{seed}-{index}"
                    shutil.copy(path, copy)
                    outcome.findings.append(f"{reader.name}, input {index}: {result} ({copy})")
                index += 1
    outcome.seconds = time.monotonic() - begin
    return outcome


def _results(reader: Reader, indices: range, seed: int, path: Path) -> Any:
    """Yield the result of each input until the first finding, and the peak of memory so far."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_work, args=(reader, indices, seed, path, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(START):
            raise TimeoutError(f"{reader.name}: does not start")
        if (intact := ours.recv()) != READ:
            raise ValueError(f"{reader.name}: a intact file is not read ({intact})")
        for _ in indices:
            if not ours.poll(HANG):
                yield f"more than {HANG:.0f} s", 0
                return
            result, peak = ours.recv()
            yield result, peak
            if result not in (READ, REFUSED):
                return
        process.join(HANG)  # in peace, or what it shares with others would be left behind
    except EOFError:
        process.join()
        yield f"the process ended with {process.exitcode}", 0
    finally:
        process.kill()
        process.join()
        ours.close()


def _work(reader: Reader, indices: range, seed: int, path: Path, results: Connection) -> None:
    """The other process: make each input, read it, and say what came of it."""
    sys.dont_write_bytecode = True  # a late import would look like a reader that writes
    sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 - progress bars, warnings
    seeds = reader.seeds()
    intact = [_judge(reader, path, reader.pack(content), []) for content in seeds]
    results.send(READ if set(intact) == {READ} else str(intact))
    events: list[str] = []
    sys.addaudithook(lambda event, details: _watch(event, details, path.parent, events))
    before = _memory("VmHWM")
    limit = (_memory("VmSize") + reader.bound) << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for index in indices:
        content = reader.pack(damaged(reader.name, seed, index, seeds))
        result = _judge(reader, path, content, events)
        peak = _memory("VmHWM") - before
        if peak > reader.bound:
            result = f"{peak} MB of memory, allowed are {reader.bound}"
        results.send((result, peak))
        if result not in (READ, REFUSED):
            return  # the input stays as it is until it has been kept


def damaged(name: str, seed: int, index: int, seeds: Sequence[bytes]) -> bytes:
    """Input number `index` of a reader."""
    return mutate(random.Random(f"{seed}/{name}/{index}"), seeds)


def _judge(reader: Reader, path: Path, content: bytes, events: list[str]) -> str:
    """Let the reader read one file: READ, REFUSED, or what is wrong."""
    path.write_bytes(content)
    events.clear()
    result = READ
    try:
        reader.read(path)
    except UserError as error:
        message, cause = str(error), error.__context__
        result = REFUSED
        if len(message.splitlines()) != 1 or str(path) not in message:
            result = f"not one line with the file's name: {message!r}"
        while cause:  # asked for more than the limit, and said so politely
            result = "MemoryError" if isinstance(cause, MemoryError) else result
            cause = cause.__context__
    except BaseException as error:  # a panic in Rust is no Exception
        result = f"{type(error).__name__}: {first_line(error)}"
    return f"did {events[0]}" if events else result


def _watch(event: str, details: tuple[Any, ...], scratch: Path, events: list[str]) -> None:
    """An audit hook: note what no reader does, and do not let it happen.

    It may write files in its scratch folder, each under the name of a part before its own.
    """
    name = str(details[0]) if details else ""
    if event == "os.mkdir":
        is_own = name == str(scratch)
    else:
        is_own = name.startswith(str(scratch)) and (event == "open" or name.endswith(".partial"))
    forbidden = bool(details[2] & WRITES) if event == "open" else event in FORBIDDEN
    if forbidden and not is_own:
        events.append(f"{event} {details}")
        raise PermissionError(event)


def _memory(name: str) -> int:
    """MB of this process: VmSize (address space), VmHWM (the most that it ever used)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition(f"{name}:")[2].split()[0]) >> 10


def table(outcomes: Sequence[Outcome]) -> str:
    """A line for each reader, and one for all."""
    lines = ["| reader | inputs | read | refused | findings | peak memory | seconds |"]
    lines.append("|---|---|---|---|---|---|---|")
    total = Outcome("all")
    for outcome in outcomes:
        total.read += outcome.read
        total.refused += outcome.refused
        total.findings += outcome.findings
        total.peak = max(total.peak, outcome.peak)
        total.seconds += outcome.seconds
    for outcome in [*outcomes, total]:
        findings = len(outcome.findings)
        inputs = outcome.read + outcome.refused + findings
        lines.append(
            f"| {outcome.name} | {inputs} | {outcome.read} | {outcome.refused} | {findings} "
            f"| {outcome.peak} MB | {outcome.seconds:.0f} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Fuzz every reader; 1 if there was a finding."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.fuzz")
    parser.add_argument("--inputs", type=int, default=1000, help="damaged files for each reader")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other damage")
    options = parser.parse_args()
    outcomes = []
    for reader in READERS:
        outcomes.append(fuzz(reader, options.inputs, options.seed, KEPT))
        for finding in outcomes[-1].findings:
            print(finding, file=sys.stderr)
    print(table(outcomes))
    return int(any(outcome.findings for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
