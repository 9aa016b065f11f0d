"""How a command of ours begins and ends: with a known argument, and with one line for a mistake."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from dlvc.errors import UserError


def run_command(main: Callable[[], None]) -> NoReturn:
    """Call `main`, and end the process; a `UserError` is one line on stderr and exit code 2.

    Ctrl-C and SIGTERM unwind like an exception, so that whoever has something to end can end it.
    """
    signal.signal(signal.SIGTERM, _terminate)
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


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def variant(*allowed: str) -> str:
    """The stage's one argument, which of its variants to run."""
    given = sys.argv[1:]
    if len(given) != 1 or given[0] not in allowed:
        found = " ".join(given) or "nothing"
        raise UserError(f"the variant is {found}; allowed: {', '.join(allowed)}")
    return given[0]
