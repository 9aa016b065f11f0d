"""How a command of ours begins and ends: one line for a mistake, and a word for Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from dvcview.errors import UserError

TO_END = (signal.SIGINT, signal.SIGTERM)
Handler = Any  # a function of number and frame, SIG_IGN, SIG_DFL, or what C code has set


def run_command(main: Callable[[], None]) -> NoReturn:
    """Call `main`, and end the process; a `UserError` is one line on stderr and exit code 2.

    Ctrl-C and SIGTERM unwind like an exception, so that whoever has something to end can end it,
    and is not interrupted in that by a second one. A signal that whoever started this process had
    it ignore (Ctrl-C, in the background of a shell) stays ignored.
    """
    handle(_unwind)
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(128 + signal.SIGINT) from None
    # All is written. To take apart what torch has imported, object by object, takes half a second.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def say(message: str) -> None:
    """A line for whoever is at the terminal; what a command gives goes to stdout."""
    print(message, file=sys.stderr, flush=True)


def handle(handler: Handler) -> dict[int, Handler]:
    """Have `handler` called for Ctrl-C and SIGTERM; what was called before, by signal."""
    before: dict[int, Handler] = {number: signal.getsignal(number) for number in TO_END}
    for number, previous in before.items():
        if previous != signal.SIG_IGN:
            signal.signal(number, handler)
    return before


def _unwind(number: int, _frame: FrameType | None) -> None:
    handle(signal.SIG_IGN)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)
