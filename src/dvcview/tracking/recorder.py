"""The process beside an execution that delivers its journals to MLflow, and goes when it has ended.

It waits so that no stage has to: MLflow is imported once an execution, and a server that does not
answer keeps nobody but this process. What it cannot deliver, `dlvc sync` delivers.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path

from filelock import Timeout

from dvcview.errors import first_line, redacted
from dvcview.files.artifacts import write_bytes
from dvcview.tracking.execution import FAILED, RECORD, Execution, recorder_lock
from dvcview.tracking.run_store import View
from dvcview.tracking.uploader import POLL, Delivery

RETRY = 10  # seconds between two attempts to reach a store that failed


def main() -> None:
    """Record the execution whose folder is the one argument."""
    folder = Path(sys.argv[1])
    os.nice(5)  # training with a thread a core waits for the slowest; 10 is late on a busy machine
    try:
        with recorder_lock(folder).acquire(timeout=0):
            record(folder)
    except Timeout:  # another one is at work
        return


def record(folder: Path) -> None:
    """Deliver until the execution has ended and everything is delivered, or cannot be."""
    root = folder.parents[2]
    execution = Execution(**json.loads((folder / RECORD).read_text()))
    delivery: Delivery | None = None
    while True:
        running = execution.is_running()
        try:
            delivery = delivery or Delivery(View(root), execution, folder)
            delivery.step()
            (folder / FAILED).unlink(missing_ok=True)
            if not running and not delivery.stage_is_running():
                delivery.finish()
                return
        except Exception as error:  # any failure of a view is survived
            print(redacted(traceback.format_exc()), file=sys.stderr)
            delivery = None
            write_bytes(folder / FAILED, first_line(error).encode())
            if not running:
                return
            time.sleep(RETRY)
        time.sleep(POLL)


if __name__ == "__main__":
    main()
