"""Entry point of every command: error reporting and signal handling."""

from __future__ import annotations

import atexit
import errno
import getpass
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from dvcview.errors import UserError, not_writable

if TYPE_CHECKING:
    from tqdm import tqdm

SIGNALS = (signal.SIGINT, signal.SIGTERM)
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
SITE_CACHE = Path("/var/tmp/dvc")  # noqa: S108 - DVC's default
Handler = Any  # a function of number and frame, SIG_IGN, SIG_DFL, or what C code has set


def run_command(main: Callable[[], None]) -> NoReturn:
    """Call `main` and end the process.

    A `UserError` or a full disk prints one line, and the exit code is 2.

    Ctrl-C and SIGTERM raise an exception, so that `main` can clean up. Further signals do not
    interrupt the clean-up. A signal that the parent process has set to be ignored (Ctrl-C, for a
    background command of a shell) stays ignored.
    """
    set_signal_handlers(_raise)
    try:
        complete_environment()
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(128 + signal.SIGINT) from None
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        # A library, such as Numba, has written into a cache of its own.
        print(f"error: {not_writable(error.filename or 'a cache', error)}", file=sys.stderr)
        raise SystemExit(2) from None
    # All files are written. Python would take half a second to free what torch has imported.
    atexit._run_exitfuncs()  # for example, MLflow's progress bars remove their semaphore
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def complete_environment() -> None:
    """Set two things that DVC needs, and that an account of a container or a service can lack.

    They are a user name, and a folder for the files that DVC shares between projects.

    Raises:
        UserError: the system is Windows, or the user has no home folder.
    """
    if os.name != "posix":
        raise UserError("this needs Linux or macOS; on Windows, use WSL")
    try:
        getpass.getuser()
    except (KeyError, OSError):  # the number of the user has no name
        os.environ["USER"] = f"user-{os.getuid()}"
    try:
        Path.home()
    except RuntimeError:
        raise UserError(
            "this user has no home folder; set HOME to a folder that you can write to"
        ) from None
    shared = next((path for path in (SITE_CACHE, SITE_CACHE.parent) if path.exists()), None)
    if "DVC_SITE_CACHE_DIR" not in os.environ and not (shared and os.access(shared, os.W_OK)):
        os.environ["DVC_SITE_CACHE_DIR"] = str(Path(tempfile.gettempdir()) / "dvc")


def log(message: str) -> None:
    """Print a line for the user on stderr; stdout is for what a command returns."""
    print(message, file=sys.stderr, flush=True)


def progress_bar(**settings: Any) -> tqdm[NoReturn]:
    """A progress bar of tqdm; without a terminal it shows nothing."""
    from tqdm import tqdm

    if "_lock" not in vars(tqdm):
        # tqdm's own lock is a semaphore for several processes. If this process ends at once, Python
        # reports that the semaphore has leaked.
        tqdm.set_lock(threading.RLock())
    return tqdm(disable=None, **settings)


def set_signal_handlers(handler: Handler) -> dict[int, Handler]:
    """Handle Ctrl-C and SIGTERM with `handler`; returns the previous handlers by signal."""
    before: dict[int, Handler] = {number: signal.getsignal(number) for number in SIGNALS}
    for number, previous in before.items():
        if previous != signal.SIG_IGN:
            signal.signal(number, handler)
    return before


def _raise(number: int, _frame: FrameType | None) -> None:
    set_signal_handlers(signal.SIG_IGN)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)
