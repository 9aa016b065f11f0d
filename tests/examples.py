"""The number of examples that hypothesis tries: all in `make test-full`, few in `make test`."""

from __future__ import annotations

from hypothesis import settings


def examples(number: int) -> settings:
    """Settings with `number` examples in the full tier, and with at most 50 in the quick one."""
    if settings.get_current_profile_name() == "full":
        return settings(max_examples=number)
    return settings(max_examples=min(number, settings().max_examples))
