"""`runtime.reproducible: portable`: the same bytes on processors of different generations.

The libraries that torch uses choose their code by the processor, and the order of summation depends
on the choice. These variables make them choose code that every x86 processor since 2013 can run.
A library reads them when it first computes and ignores later changes without a warning. So they
must be set before torch and Numba are imported. `tests/stress/portable.py` compares emulated
processors.
"""

from __future__ import annotations

import os

PINNED = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # convolutions
    "MKL_CBWR": "COMPATIBLE",  # matrix products; with "AVX2" Intel's and AMD's results differ
    "NUMBA_CPU_NAME": "x86-64-v3",  # updates per sample
    "NUMBA_CPU_FEATURES": "",
}


def pin_instructions() -> None:
    """Set the variables for this process, whatever its environment has."""
    os.environ.update(PINNED)


def instructions_are_pinned() -> bool:
    """Whether all variables are set."""
    return all(os.environ.get(name) == value for name, value in PINNED.items())
