"""The process that uploads an execution's event logs to MLflow, and ends after the execution.

Stages do not wait for MLflow. The recorder imports it once per execution, and a server that does
not answer blocks only the recorder. `dvcview sync` uploads what the recorder cannot.
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
from dvcview.tracking.execution import FAILED, PROCESS, RECORD, Execution, recorder_lock
from dvcview.tracking.run_store import RunStore
from dvcview.tracking.uploader import POLL, Uploader

RETRY = 10  # seconds between two attempts to reach a store that failed


def main() -> None:
    """Record the execution whose folder is the only argument."""
    folder = Path(sys.argv[1])
    # A training with a thread per core waits for its slowest thread, so the recorder only uses the
    # processor time that trainings leave. `sync` takes over if that is too little.
    os.nice(19)
    try:
        with recorder_lock(folder).acquire(timeout=0):
            (folder / PROCESS).write_text(str(os.getpid()))
            record(folder)
    except Timeout:  # another recorder is running
        return


def record(folder: Path) -> None:
    """Upload until the execution has ended and everything is uploaded, or an upload has failed."""
    root = folder.parents[2]
    sys.path.append(str(root))  # for the functions that dvcview.yaml names
    execution = Execution(**json.loads((folder / RECORD).read_text()))
    uploader: Uploader | None = None
    while True:
        running = execution.is_running()
        try:
            uploader = uploader or Uploader(RunStore(root), execution, folder)
            uploader.step()
            (folder / FAILED).unlink(missing_ok=True)
            if not running and not uploader.stage_is_running():
                uploader.finish()
                return
        except Exception as error:  # MLflow can raise anything; try again while the execution runs
            print(redacted(traceback.format_exc()), file=sys.stderr)
            uploader = None
            write_bytes(folder / FAILED, first_line(error).encode())
            if not running:
                return
            time.sleep(RETRY)
        time.sleep(POLL)


if __name__ == "__main__":
    main()
