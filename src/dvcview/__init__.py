"""Shows every stage of any DVC pipeline in MLflow, runs it safely, and verifies its files."""

from dvcview.tracking.stage_logger import StageRun, stage_run

__all__ = ["StageRun", "stage_run"]
