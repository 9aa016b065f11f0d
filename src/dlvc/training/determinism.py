"""`runtime.reproducible: portable`: the same bytes on processors of different generations.

The libraries below torch choose their code by the processor that they find, and each choice takes
sums in another order. These variables have them choose what every x86 processor since 2013 can do.
They are read when a library first computes; later they are ignored without a word. So they are set
before torch and Numba are imported. `tests/stress/portable.py` holds them to emulated processors.
"""

from __future__ import annotations

import os

PINNED = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # convolutions
    "MKL_CBWR": "COMPATIBLE",  # matrix products; with "AVX2" Intel's and AMD's still differ
    "NUMBA_CPU_NAME": "x86-64-v3",  # updates per sample
    "NUMBA_CPU_FEATURES": "",
}


def pin_instructions() -> None:
    """Pin them for this process, whatever its environment says."""
    os.environ.update(PINNED)


def instructions_are_pinned() -> bool:
    """Whether that has been done."""
    return all(os.environ.get(name) == value for name, value in PINNED.items())
