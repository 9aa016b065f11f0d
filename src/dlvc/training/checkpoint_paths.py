"""Where checkpoints are stored."""

from __future__ import annotations

from pathlib import Path

CHECKPOINTS = Path(".dlvc/checkpoints")
COMPLETE = ".complete.pt"  # suffix of a completed training, until DVC has recorded its result


def lock_of(checkpoint: Path) -> Path:
    """The lock file of the process that writes a checkpoint, complete or not.

    >>> lock_of(Path("lenet-0123.complete.pt"))
    PosixPath('lenet-0123.lock')
    >>> lock_of(Path("claims@per_sample_rate_0.1-0123.pt"))
    PosixPath('claims@per_sample_rate_0.1-0123.lock')
    """
    return checkpoint.with_name(
        f"{checkpoint.name.removesuffix('.pt').removesuffix('.complete')}.lock"
    )


def delete_complete() -> None:
    """Delete the checkpoints of completed trainings, whose results dvc.lock records."""
    for path in CHECKPOINTS.glob(f"*{COMPLETE}"):
        path.unlink(missing_ok=True)
        lock_of(path).unlink(missing_ok=True)
