"""The event log of a stage: a file with one JSON object per line.

The first event is `begin`, each epoch adds an `epoch`, and the last event is `end`. The log of a
killed stage has no `end`. Appending a line takes microseconds and needs no server.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from dvcview.errors import redacted

SUFFIX = ".jsonl"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # Linux: another one after each start


def now() -> int:
    """Milliseconds since 1970, as MLflow counts time."""
    return int(time.time() * 1000)


class EventLog:
    """Writes the events of one stage."""

    def __init__(self, folder: Path, stage: str) -> None:
        # The name of a stage can contain slashes, such as `fit/dvc.yaml:train`.
        name = re.sub(r"[^\w.@-]", "_", stage)
        self.path = folder / f"{name}-{now()}{SUFFIX}"
        self._file = self.path.open("x", encoding="utf-8")
        self.events = 0

    def write(self, event: str, **values: Any) -> None:
        """Append an event; once this returns, the event survives the end of this process.

        Passwords are removed, because the texts end up in tags and artifacts.
        """
        line = json.dumps({"event": event, "time": now(), **_redacted(values)})
        self._file.write(line + "\n")
        self._file.flush()
        self.events += 1

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {key: _redacted(inner) for key, inner in value.items()}
    return value


@dataclass
class EventLogReader:
    """Reads an event log while it grows; an incomplete last line is left for the next call."""

    path: Path
    begin: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)
    events: int = 0
    _position: int = 0

    def new_events(self) -> list[dict[str, Any]]:
        """The events since the last call."""
        found = []
        with self.path.open("rb") as file:
            file.seek(self._position)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._position += len(line)
                event = json.loads(line)
                if event["event"] == "begin":
                    self.begin = event
                elif event["event"] == "end":
                    self.end = event
                found.append(event)
        self.events += len(found)
        return found

    @property
    def name(self) -> str:
        """A unique id of this event log."""
        return f"{self.path.parent.name}/{self.path.stem}"

    def writer_is_gone(self) -> bool:
        """Whether the process of the stage has ended."""
        return bool(self.begin) and not is_alive(self.begin["process"])


def identity_of(process: psutil.Process) -> str:
    """A text that identifies a process on this machine: its number, and the time when it began.

    On Linux the time is counted from the start of the machine, and the text names that start. The
    time of day does not serve: if somebody sets the clock, Linux changes it for every process.
    """
    began: float = process.create_time()
    if not BOOT_ID.exists():  # not Linux
        return f"{process.pid}-{began:.2f}"
    boot = BOOT_ID.read_text(encoding="ascii")[:8]
    return f"{process.pid}-{boot}-{began - psutil.boot_time():.2f}"


def is_alive(identity: str) -> bool:
    """Whether the process that `identity_of` identified by this text is still running."""
    try:
        process = psutil.Process(int(identity.partition("-")[0]))
        same = identity_of(process) == identity
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
