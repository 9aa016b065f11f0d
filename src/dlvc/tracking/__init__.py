"""The only folder that imports mlflow; it does so late, when a run begins."""

from dlvc.tracking.run import StageRun, stage_run

__all__ = ["StageRun", "stage_run"]
