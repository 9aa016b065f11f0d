"""Runs one stage of the pipeline: `python src/stage.py STAGE [VARIANT]`.

Python puts the folder of this file first on its module path. So a stage always runs the code of its
own checkout, also under `dvc exp run --temp` and in DVC's queue.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
if sys.path[0] != str(SOURCE):  # the user has set PYTHONSAFEPATH
    sys.path.insert(0, str(SOURCE))

from dlvc.launcher import is_worker, launch, run_worker, uses_several_processes  # noqa: E402
from dlvc.training.determinism import pin_instructions  # noqa: E402
from dvcview.console import run_command  # noqa: E402
from dvcview.errors import UserError  # noqa: E402
from dvcview.files.yaml_files import read_yaml  # noqa: E402
from dvcview.project.params import PARAMS_FILE  # noqa: E402
from dvcview.run.stage_process import (  # noqa: E402
    exit_with_dvc,
    limit_openmp_spinning,
    stage_process,
)

# Allocations between two runs of the garbage collector. Python's default of 700 makes the import of
# torch 10 % slower, and that of torchvision 20 %.
GC_THRESHOLD = 100_000
# Variables of the user that a stage ignores.
IGNORED = (
    # Matplotlib raises an error for the backend that notebooks set.
    "MPLBACKEND", "MATPLOTLIBRC",
    # With one of these, OpenMP can wait for ever in the backward pass of a convolution.
    "OMP_DYNAMIC", "OMP_THREAD_LIMIT",
    # With NUMBA_NUM_THREADS=0, Numba raises an error.
    "NUMBA_NUM_THREADS",
    # These choose other machine code, which changes the last digits of results. `computed` in
    # metrics.json would not show it. `runtime.reproducible` is the parameter for this choice.
    "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE",
    "MKL_CBWR", "MKL_DYNAMIC", "MKL_NUM_THREADS", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES",
    "NUMBA_OPT", "NUMBA_DISABLE_JIT", "NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE",
    "NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)  # fmt: skip
STAGES = sorted(file.stem for file in (SOURCE / "dlvc/stages").glob("[a-z]*.py"))


def main() -> None:
    """Prepare the process, then call the `main` of the stage's module."""
    stage, *variants = sys.argv[1:] or [""]
    if stage not in STAGES:
        raise UserError(f"the stage is {stage or 'nothing'}; allowed: {', '.join(STAGES)}")
    # Child processes (launched workers, shards) run this checkout's code as well.
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{SOURCE}{os.pathsep}{inherited}" if inherited else str(SOURCE)
    if not is_worker():
        exit_with_dvc()
    for name in IGNORED:
        os.environ.pop(name, None)
    # These must happen before torch is imported. The stage `params` itself reports a mistake in the
    # file, so that its run in MLflow shows it.
    reports_itself = stage == "params" and PARAMS_FILE.exists()
    if not reports_itself and _is_portable():
        pin_instructions()
    limit_openmp_spinning()
    gc.set_threshold(GC_THRESHOLD)

    module = import_module(f"dlvc.stages.{stage}")
    allowed = getattr(module, "VARIANTS", ())
    if len(variants) != bool(allowed) or not set(variants) <= set(allowed):
        found = " ".join(variants) or "nothing"
        raise UserError(
            f"the variant of {stage} is {found}; allowed: {', '.join(allowed) or 'none'}"
        )
    if is_worker():
        run_worker(stage, module.main)
        return
    with stage_process(stage, *variants):
        if getattr(module, "DISTRIBUTED", False) and uses_several_processes():
            launch(stage)
        else:
            module.main(*variants)


def _is_portable() -> bool:
    """Whether params.yaml asks for the same bytes on other processors."""
    match read_yaml(PARAMS_FILE):
        case {"runtime": {"reproducible": "portable"}}:
            return True
    return False


if __name__ == "__main__":
    run_command(main)
