"""Entry point of every command: error reporting and signal handling."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from dvcview.errors import UserError, not_writable

SIGNALS = (signal.SIGINT, signal.SIGTERM)
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
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
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def log(message: str) -> None:
    """Print a line for the user on stderr; stdout is for what a command returns."""
    print(message, file=sys.stderr, flush=True)


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
