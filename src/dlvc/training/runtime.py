"""Where and how the arithmetic is done, and that it is done the same way every time."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from dlvc.params.schema import Runtime as Settings
from dlvc.training.batch_norm import normalise_together
from dlvc.training.determinism import instructions_are_pinned
from dlvc.training.process_group import (
    ALONE,
    World,
    is_launched,
    local_rank,
    local_size,
    world_size,
)
from dvcview.errors import UserError

Model = TypeVar("Model", bound=nn.Module)

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as glibc's malloc.h numbers them
MEMORY_FORMATS = {
    "channels_last": torch.channels_last,
    "contiguous": torch.contiguous_format,
}


@dataclass(frozen=True)
class Runtime:
    """The section `runtime` of params.yaml at work."""

    device: torch.device
    memory_format: torch.memory_format
    reduced: torch.dtype | None  # what matrix products and convolutions are computed in, if less
    compile: bool
    world: World = ALONE

    def prepare(self, model: Model) -> Model:
        """The same model, moved to the device, and changed so that it computes as was asked for.

        Its parameters stay float32, and so does what it puts out.
        """
        model = model.to(self.device).to(memory_format=self.memory_format)
        if self.world.size > 1:
            normalise_together(model, self.world)
        if self.reduced is not None:
            forward = torch.autocast(self.device.type, dtype=self.reduced)(model.forward)

            def forward_reduced(images: Tensor) -> Tensor:
                outputs: Tensor = forward(images)
                return outputs.float()

            model.forward = forward_reduced
        if self.compile:
            model.compile()
        return model

    def one_by_one(self) -> Runtime:
        """For updates image by image, which are written out for the CPU: one image is too little
        work for a GPU."""
        return replace(self, device=torch.device("cpu"), reduced=None, compile=False)

    def channels_first(self) -> Runtime:
        """The same runtime with contiguous feature maps, whatever `runtime.memory_format` asks for.

        For LeNet. In channels_last, oneDNN computes the gradient of its kernels with threads that
        wait for each other in a busy loop: beside another busy process an update then takes four
        times as long as alone, and in this format twice as long (benchmarks/README.md).
        """
        return replace(self, memory_format=torch.contiguous_format)


def prepare_runtime(settings: Settings) -> Runtime:
    """Fix the number of CPU threads, ask for deterministic kernels, and choose the device.

    The number of threads decides in which order sums are taken, so another number gives other
    last digits; so do another device, precision, memory format, and compilation.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs to be so
    # As use_deterministic_algorithms(True), which besides imports torch's compiler: 1.3 s a stage.
    torch.set_deterministic_debug_mode("error")
    # It would also fill every new tensor with NaN, to uncover reads of memory that nobody wrote.
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
        reduced=torch.bfloat16 if settings.precision == "bfloat16" else None,
        compile=settings.compile,
        world=World.join(device.type),
    )


def _choose_device(settings: Settings) -> str:
    """`cpu` or `cuda`, if it can be had and is what reproducible asks for."""
    portable = settings.reproducible == "portable"
    if portable and settings.device == "cuda":
        raise UserError(
            "params.yaml: runtime.reproducible is portable, which a GPU is not; set runtime.device "
            "to cpu or auto, or reproducible to machine"
        )
    found = torch.backends.cpu.get_cpu_capability()
    if portable and found != "AVX2":
        raise UserError(
            "params.yaml: runtime.reproducible is portable, which needs an x86 processor with AVX2 "
            f"(torch finds {found}); set it to machine"
        )
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "params.yaml: runtime.device is cuda, but torch finds no GPU here; allowed: auto, cpu"
        )
    if settings.device == "auto":
        return "cuda" if torch.cuda.is_available() and not portable else "cpu"
    return settings.device


def _own_gpu() -> torch.device:
    """One for each process of a machine. All find out if there are too few, and not only those who
    would have none: the others would wait for them."""
    if local_size() > torch.cuda.device_count():
        raise UserError(
            f"params.yaml: runtime.processes needs a GPU for each, and torch finds "
            f"{torch.cuda.device_count()} here; lower it, or set runtime.device to cpu"
        )
    device = torch.device("cuda", local_rank())
    torch.cuda.set_device(device)
    return device


def computed_with(device: torch.device) -> str:
    """What the last digits of a result depend on besides parameters, data and code.

    The same words on two machines promise the same bytes; other words, the same to some digits.
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
    """The kind of processor, as the system calls it."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or "cpu"


def _keep_freed_memory() -> None:
    """Ask glibc, where there is one, to give no memory back before the process ends.

    Large tensors come and go with every batch; given back, each of their pages would be cleared
    and mapped anew. DenseNet-121 at 224 px in float32 is a quarter faster for it.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            libc.mallopt(option, 2**31 - 1)  # bytes
