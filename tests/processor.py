"""Which processor the tests run on."""

from __future__ import annotations

from dlvc.training.determinism import CPUINFO, cpuinfo

WIDEST = {"avx512f": "AVX-512", "avx2": "AVX2"}  # by Linux's flag


def processor() -> str:
    """The kind of processor and its instructions, where Linux tells."""
    lines = CPUINFO.read_text(encoding="utf-8").splitlines() if CPUINFO.exists() else []
    return "\n".join(sorted({line for line in lines if line.startswith(("model", "flags"))}))


def processor_name() -> str:
    """Such as "AMD EPYC (family 25, model 17, AVX-512)".

    A virtual machine may name many generations of processors the same way. Family and model tell
    them apart.
    """
    flags = cpuinfo("flags").split()
    widest = next((name for flag, name in WIDEST.items() if flag in flags), "without AVX2")
    family, model = cpuinfo("cpu family"), cpuinfo("model")
    return f"{cpuinfo('model name') or 'unknown'} (family {family}, model {model}, {widest})"
