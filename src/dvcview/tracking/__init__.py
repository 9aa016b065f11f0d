"""The view of the pipeline in MLflow. Stages write a journal; a process beside them delivers it.

stage -> run, journal, execution        what a stage imports: no mlflow, a few milliseconds
recorder, sync -> delivery -> view      the only modules that import mlflow
"""

from dvcview.tracking.stage_run import StageRun, stage_run

__all__ = ["StageRun", "stage_run"]
