"""The one exception that is meant for the person at the keyboard, and what others say, in short."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

LONGEST = 300  # characters of what somebody else says
DEEPEST = 5  # parts of a parameter's name that are written out; the longest known one has four

# Of an address, what stands between `//` and `@`. With a colon it may be a password with `/` and
# `@` in it, as SQLAlchemy takes it: rather a host too many is hidden than half a password shown.
# What our own messages give as the form of an address is no secret.
_USER_INFORMATION = re.compile(
    r"//(?!/|USER:PASSWORD@)(?:[^\s/@:]{0,999}:(?:[^\s:]|:(?!//)){0,999}|[^\s/]{1,999})@"
)
# `password=...`, `"aws_secret_access_key": "..."`, `--token=...`: a name, a sign, a value.
_NAMED_SECRET = re.compile(
    r"""(?P<name>(?:passw(?:or)?d|secret|token|(?:access|account|api|private|secret)_?key)['"]?
    \s{0,9}[=:]\s{0,9})(?:(?P<quote>['"])(?:\\.|(?!(?P=quote)).)*(?P=quote)|\S+)""",
    re.IGNORECASE | re.VERBOSE,
)


class UserError(Exception):
    """A mistake that its maker can mend: one line, no traceback, exit code 2.

    The message says what was found, what is allowed, and what to do. It holds no secret, wherever
    it is shown or kept.
    """

    def __init__(self, message: str) -> None:
        super().__init__(redacted(message))


def first_line(error: BaseException) -> str:
    """What an exception of somebody else's says, short enough for a line of ours.

    >>> first_line(ValueError("too long\\nand then some"))
    'too long'
    """
    return one_line(str(error) or type(error).__name__)


def one_line(text: str) -> str:
    r"""The first line of a text, without secrets, what cannot be printed as `repr` writes it.

    >>> one_line("a\tbell\a and\nmore")
    'a\\tbell\\x07 and'
    """
    first = next((line for line in redacted(text).splitlines() if line.strip()), "")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in first[:LONGEST])[:LONGEST]


def redacted(text: str) -> str:
    """A text without the passwords of addresses and connection strings.

    >>> redacted("no answer from https://me:s3/cr@t@example.org/mlflow, nor from //token@host")
    'no answer from https://***@example.org/mlflow, nor from //***@host'
    >>> redacted("host=db password='open sesame' AWS_SECRET_ACCESS_KEY=abc/def")
    "host=db password='***' AWS_SECRET_ACCESS_KEY=***"
    """
    text = _USER_INFORMATION.sub("//***@", text)
    return _NAMED_SECRET.sub(r"\g<name>\g<quote>***\g<quote>", text)


def short(value: Any) -> str:
    """A value as it is written in a message: on one line, and not the whole of a long one."""
    if value is None:
        return "empty"
    try:
        text = redacted(repr(value))  # before it is cut: half a password is none to be recognised
    except ValueError:  # Python refuses to write numbers of more than 4300 digits
        return "too long to be written out"
    except RecursionError:
        return "nested too deeply"
    return text if len(text) <= 40 else text[:37] + "..."


def dotted(location: Sequence[Any]) -> str:
    """A flat name as it stands in a message; what could be misread is in quotes.

    >>> dotted(["lenet", "a b", None])
    "lenet.'a b'.null"
    """
    shown = [_name(part) for part in location[:DEEPEST]]
    return ".".join([*shown, "..."] if len(location) > DEEPEST else shown)


def _name(part: Any) -> str:
    if part is None:
        return "null"
    return part if isinstance(part, str) and re.fullmatch(r"[\w-]{1,40}", part) else short(part)
