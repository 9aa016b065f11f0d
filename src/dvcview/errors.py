"""The exception for mistakes of the user, and short texts for messages, without passwords."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

LONGEST = 300  # characters of a message that is quoted
DEEPEST = 5  # parts of a parameter's name that a message shows; the longest known name has four

# The part of an address between `//` and `@`. After a colon it may be a password that contains `/`
# and `@`, because SQLAlchemy accepts such passwords. If in doubt, the pattern also hides the host,
# so that no part of a password is shown. It keeps the placeholder that our own messages contain.
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
    """A mistake that the user can correct. It is printed as one line, and the exit code is 2.

    The message states what was found, what is allowed, and what to do. Passwords are removed from
    it, so it can be printed and stored.
    """

    def __init__(self, message: str) -> None:
        super().__init__(redacted(message))


def not_writable(path: object, error: OSError) -> UserError:
    """The error for a file that the system did not let us write."""
    return UserError(
        f"{path}: cannot be written ({error.strerror or first_line(error)}); free disk space or "
        "grant write access, then run the same command again. `dvc checkout` restores earlier "
        "results"
    )


def first_line(error: BaseException) -> str:
    """The message of an exception, as `one_line` returns it; its type if it has no message.

    >>> first_line(ValueError("too long\\nand then some"))
    'too long'
    """
    return one_line(str(error) or type(error).__name__)


def one_line(text: str) -> str:
    r"""The first line of a text that is not blank: printable, without passwords.

    The result has at most `LONGEST` characters. Unprintable characters are escaped as by `repr`.

    >>> one_line("a\tbell\a and\nmore")
    'a\\tbell\\x07 and'
    """
    first = next((line for line in redacted(text).splitlines() if line.strip()), "")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in first[:LONGEST])[:LONGEST]


def redacted(text: str) -> str:
    """The text, with `***` in place of the passwords of addresses and connection strings.

    >>> redacted("no answer from https://me:s3/cr@t@example.org/mlflow, nor from //token@host")
    'no answer from https://***@example.org/mlflow, nor from //***@host'
    >>> redacted("host=db password='open sesame' AWS_SECRET_ACCESS_KEY=abc/def")
    "host=db password='***' AWS_SECRET_ACCESS_KEY=***"
    """
    text = _USER_INFORMATION.sub("//***@", text)
    return _NAMED_SECRET.sub(r"\g<name>\g<quote>***\g<quote>", text)


def truncate(value: Any) -> str:
    """The `repr` of a value for a message, without passwords and with at most 40 characters."""
    if value is None:
        return "empty"
    try:
        text = redacted(repr(value))  # before it is cut, or half a password could remain
    except ValueError:  # Python does not convert integers of more than 4300 digits to text
        return "too long to be written out"
    except RecursionError:
        return "nested too deeply"
    return text if len(text) <= 40 else text[:37] + "..."


def dotted(location: Sequence[Any]) -> str:
    """A parameter's flat name for a message; parts that could be misread are quoted.

    >>> dotted(["lenet", "a b", None])
    "lenet.'a b'.null"
    """
    shown = [_name(part) for part in location[:DEEPEST]]
    return ".".join([*shown, "..."] if len(location) > DEEPEST else shown)


def _name(part: Any) -> str:
    if part is None:
        return "null"
    return part if isinstance(part, str) and re.fullmatch(r"[\w-]{1,40}", part) else truncate(part)
