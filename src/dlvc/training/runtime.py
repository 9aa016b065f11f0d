"""Where and how torch computes, and that it computes the same way every time."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from dlvc.training.batch_norm import synchronize_batch_norm
from dlvc.training.determinism import (
    can_pin_instructions,
    cpuinfo,
    instructions_are_pinned,
)
from dlvc.training.process_group import (
    SINGLE_PROCESS,
    ProcessGroup,
    is_launched,
    local_rank,
    local_world_size,
    world_size,
)
from dvcview.console import log
from dvcview.errors import UserError

if TYPE_CHECKING:
    from dlvc.params.schema import Runtime as Settings

Model = TypeVar("Model", bound=nn.Module)

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # the numbers in glibc's malloc.h
MEMORY_FORMATS = {
    "channels_last": torch.channels_last,
    "contiguous": torch.contiguous_format,
}


@dataclass(frozen=True)
class Runtime:
    """The section `runtime` of params.yaml, applied to torch.

    `autocast_dtype` is the dtype of matrix products and convolutions, or None for float32.
    """

    device: torch.device
    memory_format: torch.memory_format
    autocast_dtype: torch.dtype | None
    compile: bool
    group: ProcessGroup = SINGLE_PROCESS

    def prepare(self, model: Model) -> Model:
        """Move a model to the device and change how it computes; returns the same model.

        Its parameters and outputs remain float32. A model with the attribute `memory_format` has
        that format, whatever the settings say.
        """
        memory_format = getattr(model, "memory_format", self.memory_format)
        model = model.to(self.device).to(memory_format=memory_format)
        if self.group.size > 1:
            synchronize_batch_norm(model, self.group)
        if self.autocast_dtype is not None:
            autocast = torch.autocast(self.device.type, dtype=self.autocast_dtype)
            forward = autocast(model.forward)

            def forward_float32(images: Tensor) -> Tensor:
                outputs: Tensor = forward(images)
                return outputs.float()

            model.forward = forward_float32
        if self.compile:
            model.compile()
        return model

    def for_single_samples(self) -> Runtime:
        """The runtime for updates per sample: the CPU, since one image is too little for a GPU."""
        return replace(self, device=torch.device("cpu"), autocast_dtype=None, compile=False)


def prepare_runtime(settings: Settings) -> Runtime:
    """Set the number of threads, require deterministic kernels, and choose the device.

    The number of threads determines the order of summation, so another number changes the last
    digits. So do another device, precision, memory format, and compilation.

    Raises:
        UserError: the settings cannot be met on this machine.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # required for determinism
    # The same as use_deterministic_algorithms(True), which also imports torch's compiler (1.3 s).
    torch.set_deterministic_debug_mode("error")
    # By default torch then fills every new tensor with NaN, to uncover reads of unwritten memory.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.set_num_threads(settings.threads)
    _keep_freed_memory()
    device = torch.device(_choose_device(settings))
    if device.type == "cuda" and is_launched():
        device = _own_gpu()
    compiler = os.environ.get("CXX", "g++")
    if settings.compile and device.type == "cpu" and not shutil.which(compiler):
        raise UserError(
            f"params.yaml: runtime.compile is true, which needs a C++ compiler, and {compiler} is "
            "not found here; install it, or set it to false"
        )
    if settings.compile and is_launched():
        raise UserError(
            "params.yaml: runtime.compile is true, which is for one process on one machine; set it "
            "to false"
        )
    return Runtime(
        device=device,
        memory_format=MEMORY_FORMATS[settings.memory_format],
        autocast_dtype=torch.bfloat16 if settings.precision == "bfloat16" else None,
        compile=settings.compile,
        group=ProcessGroup.init_process_group(device.type),
    )


def _choose_device(settings: Settings) -> str:
    """`cpu` or `cuda`, if it is available and compatible with runtime.reproducible."""
    portable = settings.reproducible == "portable"
    if portable and not can_pin_instructions():
        portable = False
        if local_rank() == 0:
            log(
                "runtime.reproducible is portable, which needs an x86 processor with AVX2, and "
                f"Linux reports none here; the stage computes as with machine ({_processor()})"
            )
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "params.yaml: runtime.device is cuda, but torch finds no GPU here; allowed: auto, cpu"
        )
    if settings.device == "auto":
        return "cuda" if torch.cuda.is_available() and not portable else "cpu"
    return settings.device


def _own_gpu() -> torch.device:
    """The GPU of this process.

    If there are too few GPUs, every process raises the error, because a process with a GPU would
    otherwise wait for those without one.
    """
    if local_world_size() > torch.cuda.device_count():
        raise UserError(
            f"params.yaml: runtime.processes needs a GPU for each, and torch finds "
            f"{torch.cuda.device_count()} here; lower it, or set runtime.device to cpu"
        )
    device = torch.device("cuda", local_rank())
    torch.cuda.set_device(device)
    return device


def computed_with(device: torch.device) -> str:
    """What the last digits of a result depend on besides parameters, data and code.

    Two machines for which this text is the same compute the same bytes.
    """
    if device.type == "cuda":
        processor = torch.cuda.get_device_name(device)
    else:
        kind = "any x86" if instructions_are_pinned() else _processor()
        processor = f"{kind} ({torch.backends.cpu.get_cpu_capability()})"
    return ", ".join(
        [
            processor,
            f"threads: {torch.get_num_threads()}",
            *([f"processes: {world_size()}"] if world_size() > 1 else []),
            f"torch {torch.__version__}",
            f"numpy {np.__version__}",
            f"{platform.system()} {platform.machine()}",
        ]
    )


def _processor() -> str:
    """The name of the processor, as the system reports it."""
    return cpuinfo("model name") or platform.processor() or "cpu"


def _keep_freed_memory() -> None:
    """Make glibc, if there is one, keep freed memory until the process ends.

    Every batch allocates and frees large tensors. If the memory went back to the system, each of
    its pages would be cleared and mapped again. DenseNet-121 at 224 px in float32 is a quarter
    faster this way.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            libc.mallopt(option, 2**31 - 1)  # bytes
