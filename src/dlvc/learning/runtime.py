"""Where the arithmetic is done, and that it is done the same way every time."""

from __future__ import annotations

import os

import torch

from dlvc.errors import UserError


def prepare_runtime(device: str, threads: int) -> torch.device:
    """Fix the number of CPU threads, ask for deterministic kernels, and choose the device.

    `device` is "cpu", "cuda" or "auto" (a GPU when there is one). The number of threads decides in
    which order sums are taken, so another number gives other last digits.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs to be so
    torch.use_deterministic_algorithms(True)
    # It would also fill every new tensor with NaN, to uncover reads of memory that nobody wrote.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "params.yaml: runtime.device is cuda, but torch finds no GPU here; allowed: auto, cpu"
        )
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)
