"""Shows the pipeline in MLflow: stages write event logs, and a separate process uploads them.

stage_logger -> execution, event_log   imported by stages; without mlflow, a few milliseconds
recorder, sync -> uploader, sync_states -> finalize, pictures -> run_store       use mlflow
"""

from dvcview.tracking.stage_logger import StageRun, stage_run

__all__ = ["StageRun", "stage_run"]
