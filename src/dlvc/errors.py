"""The one exception that is meant for the person at the keyboard."""

from __future__ import annotations


class UserError(Exception):
    """A mistake that its maker can mend: one line, no traceback, exit code 2.

    The message says what was found, what is allowed, and what to do.
    """
