"""The pipeline in MLflow. Stages write event logs; a process beside them uploads these to MLflow.

stage_run -> execution, event_log                imported by stages: no mlflow, a few milliseconds
recorder, sync -> uploader, states -> run_store  the only modules that import mlflow
"""

from dvcview.tracking.stage_run import StageRun, stage_run

__all__ = ["StageRun", "stage_run"]
