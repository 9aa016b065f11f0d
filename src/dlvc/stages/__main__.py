"""`python -m dlvc.stages STAGE [VARIANT]`: how every stage begins and ends.

What a stage does stands in the file of its name. What is the same for all stands here, and happens
before torch is imported: a stage can be interrupted from its first moment on.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from dlvc.launcher import launch, several_processes
from dlvc.params.reader import PARAMS_FILE, read_params
from dlvc.training.determinism import pin_instructions
from dvcview.console import run_command
from dvcview.errors import UserError
from dvcview.run.lockfile_backup import keep_lock
from dvcview.run.stage_inputs import Inputs
from dvcview.run.stage_process import end_with_dvc, limit_openmp_spinning, one_writer

STAGES = sorted(file.stem for file in Path(__file__).parent.glob("[a-z]*.py"))


def main() -> None:
    """Run one stage, alone at its outs, and see that its inputs stay as they are meanwhile."""
    stage, *variants = sys.argv[1:] or [""]
    if stage not in STAGES:
        raise UserError(f"the stage is {stage or 'nothing'}; allowed: {', '.join(STAGES)}")
    end_with_dvc()
    # What is wrong in params.yaml is for the stage `params` to say, and for its run in MLflow.
    told_later = stage == "params" and PARAMS_FILE.exists()
    if not told_later and read_params().runtime.reproducible == "portable":
        pin_instructions()
    limit_openmp_spinning()
    module = import_module(f"dlvc.stages.{stage}")
    allowed = getattr(module, "VARIANTS", ())
    if len(variants) != bool(allowed) or not set(variants) <= set(allowed):
        found = " ".join(variants) or "nothing"
        raise UserError(
            f"the variant of {stage} is {found}; allowed: {', '.join(allowed) or 'none'}"
        )
    with one_writer("@".join([stage, *variants])):
        keep_lock()
        inputs = Inputs.of(stage, *variants)
        if getattr(module, "TOGETHER", False) and several_processes(read_params().runtime):
            launch(stage, read_params().runtime)
        else:
            module.main(*variants)
        inputs.check_unchanged(stage, *variants)


if __name__ == "__main__":
    run_command(main)
