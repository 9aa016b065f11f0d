"""`runtime.reproducible: portable`: the same bytes on processors of different generations.

The libraries that torch uses choose their code by the processor, and the order of summation depends
on the choice. These variables make them choose code that every x86 processor with AVX2 can run.
A library reads them when it first computes and ignores later changes without a warning. So they
must be set before torch and Numba are imported. `tests/stress/portable.py` compares emulated
processors, and `tests/pipeline/test_portable.py` repeats a run whose MD5s are in git.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# What the code for "avx2" and "x86-64-v3" uses, by Linux's names. torch does not check whether the
# processor has it, and ends with SIGILL otherwise (tried on an emulated Nehalem).
NEEDED = {"avx2", "fma", "f16c", "bmi1", "bmi2", "abm", "movbe"}

PINNED = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # convolutions
    "MKL_CBWR": "COMPATIBLE",  # matrix products; with "AVX2" Intel's and AMD's results differ
    "NUMBA_CPU_NAME": "x86-64-v3",  # updates per sample
    "NUMBA_CPU_FEATURES": "",
}


def can_pin_instructions() -> bool:
    """Whether Linux reports all instructions that the pinned code needs."""
    return set(cpuinfo("flags").split()) >= NEEDED


def pin_instructions() -> None:
    """Set the variables for this process, whatever its environment has, if the processor can."""
    if can_pin_instructions():
        os.environ.update(PINNED)


def instructions_are_pinned() -> bool:
    """Whether all variables are set."""
    return all(os.environ.get(name) == value for name, value in PINNED.items())


def cpuinfo(field: str) -> str:
    """A field of the first processor in /proc/cpuinfo; empty if Linux or the field is missing."""
    text = CPUINFO.read_text(encoding="utf-8") if CPUINFO.exists() else ""
    found = re.search(rf"^{field}\s*: (.*)$", text, re.MULTILINE)
    return found[1].strip() if found else ""
