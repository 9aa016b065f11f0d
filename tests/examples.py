"""How many examples hypothesis tries of a property: all in `make test-full`, few in `make test`."""

from __future__ import annotations

from hypothesis import settings


def examples(number: int) -> settings:
    """`number` examples in the full tier; in the quick one no more than its profile allows."""
    if settings.get_current_profile_name() == "full":
        return settings(max_examples=number)
    return settings(max_examples=min(number, settings().max_examples))
