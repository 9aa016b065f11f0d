"""How hypothesis tries: the same examples on every machine, however long one takes there."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("dlvc", deadline=None, database=None, derandomize=True)
settings.load_profile("dlvc")
