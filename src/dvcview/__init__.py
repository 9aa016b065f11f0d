"""Shows every stage of any DVC pipeline in MLflow, runs it safely, and verifies its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dvcview.tracking.stage_logger import StageRun, stage_run

__all__ = ["StageRun", "stage_run"]


def __getattr__(name: str) -> Any:
    """Import the two names when they are first used: the other modules need fewer packages."""
    if name in __all__:
        from dvcview.tracking import stage_logger

        return getattr(stage_logger, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
