"""The one exception that is meant for the person at the keyboard, and what others say, in short."""

from __future__ import annotations


class UserError(Exception):
    """A mistake that its maker can mend: one line, no traceback, exit code 2.

    The message says what was found, what is allowed, and what to do.
    """


def first_line(error: BaseException) -> str:
    """What an exception of somebody else's says, short enough for a line of ours.

    >>> first_line(ValueError("too long\\nand then some"))
    'too long'
    """
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
