"""What a stage says while it runs: a line of JSON an event, in a file of its own.

The first event is `begin`, then one `epoch` an epoch, at last `end`. A stage that was killed leaves
a journal without an end. Appending a line takes microseconds and needs no server.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from dvcview.errors import redacted

SUFFIX = ".jsonl"


def now() -> int:
    """Milliseconds since 1970, as MLflow counts."""
    return int(time.time() * 1000)


class Journal:
    """The writer of one stage's events."""

    def __init__(self, folder: Path, stage: str) -> None:
        self.path = folder / f"{stage}-{now()}{SUFFIX}"
        self._file = self.path.open("x", encoding="utf-8")
        self.events = 0

    def write(self, event: str, **values: Any) -> None:
        """Append an event; it is in the file, and survives this process, when this returns.

        Its texts go from here into tags and artifacts: passwords are taken out.
        """
        line = json.dumps({"event": event, "time": now(), **_redacted(values)})
        self._file.write(line + "\n")
        self._file.flush()
        self.events += 1

    def close(self) -> None:
        """Write no more."""
        self._file.close()


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {key: _redacted(inner) for key, inner in value.items()}
    return value


@dataclass
class JournalReader:
    """Reads a journal as it grows; a line that is not complete yet waits for the next time."""

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
        """An id that no other journal has."""
        return f"{self.path.parent.name}/{self.path.stem}"

    def writer_is_gone(self) -> bool:
        """Whether the stage's process is no more."""
        return bool(self.begin) and not is_alive(self.begin["pid"], self.begin["created"])


def is_alive(pid: int, created: float) -> bool:
    """Whether the very process of that number and time of creation still runs."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - created) < 1
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
