"""Lecture 40 as lectured, on a machine with one data-centre GPU and a quarter of an hour.

`python -m benchmarks.gpu` needs torch, torchvision, NumPy, Numba, Pillow, tqdm, filelock and
safetensors. It needs neither a network nor DVC or MLflow. docs/gpu/README.md explains how to run it
and what it writes.

The steps run one after the other, each in a process of its own with a time limit. Each unit of a
step writes its results at once. The same command goes on where the last one stopped.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torchvision.models import densenet121

from benchmarks import gpu_steps
from benchmarks.gpu_steps import Setting, Units, unpack
from dlvc.models.costs import cost
from dvcview.console import run_command
from dvcview.errors import UserError, first_line
from dvcview.files.artifacts import read_json, write_json

# The units of each step, and the most seconds that it may take; in the order of their worth. The
# first three fit into one call, and the next two into a second one.
STEPS: dict[str, tuple[Callable[[Setting], Units], int]] = {
    "equality": (gpu_steps.equality, 40),
    "bfloat16": (gpu_steps.bfloat16, 390),
    "resnet": (gpu_steps.resnet, 110),
    "rules": (gpu_steps.rules, 100),
    "updates": (gpu_steps.updates, 140),
    "memory": (gpu_steps.memory, 30),
    "models": (gpu_steps.models, 130),
    "float32": (gpu_steps.float32, 100),
    "sgd": (gpu_steps.sgd, 120),
    "seeds": (gpu_steps.seeds, 390),
    "gray": (gpu_steps.gray_photographs, 150),
    "torchvision": (gpu_steps.torchvision, 180),
    "speed": (gpu_steps.speed, 300),
}
SECONDS = 540  # of a call
RESULTS = Path("docs/gpu")  # the report reads them
START = 10  # seconds that a step takes at least, most of them for imports
COMPLETE = "complete"
VARIABLES = {
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # for deterministic kernels
    "GOMP_SPINCOUNT": "2000",  # see benchmarks/README.md
}


def main() -> None:
    """Run the steps that are not complete, each in a process of its own."""
    began = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, default=Path(".dlvc/gpu"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="for all steps of this call")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--small", action="store_true", help="a test, also without a GPU")
    parser.add_argument("--unlimited", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    setting = Setting(arguments.images, arguments.out, arguments.small)
    if arguments.unlimited:
        run_units(arguments.steps[0], setting)
        return
    if arguments.small and arguments.out == RESULTS:
        raise UserError(f"--small is a test; give a folder other than {RESULTS} as --out")
    if not arguments.small and setting.device.type != "cuda":
        raise UserError("torch finds no GPU here; --small runs every step in small, on the CPU")
    os.environ.update({**VARIABLES, **os.environ})
    describe_machine(setting)
    unpack(setting.images)
    file = setting.out / "steps.json"
    ended = read_json(file) if file.exists() else {}
    for step in arguments.steps:
        left = int(arguments.seconds - (time.monotonic() - began))
        if ended.get(step, {}).get("ended") != COMPLETE and left > START:
            print(f"== {step}", flush=True)
            # A small run is a test, perhaps on a busy processor.
            limit = left if setting.small else min(STEPS[step][1], left)
            ended[step] = run_step(step, setting, limit)
            write_json(file, ended)


def run_step(step: str, setting: Setting, limit: int) -> Mapping[str, Any]:
    """Run a step in a process of its own; returns how and when it ended."""
    command = [
        *(sys.executable, "-m", "benchmarks.gpu", "--unlimited", "--steps", step),
        *("--images", str(setting.images), "--out", str(setting.out)),
        *(["--small"] if setting.small else []),
    ]
    began = time.monotonic()
    try:
        status = subprocess.run(command, timeout=limit, check=False).returncode
        ended = f"status {status}" if status else COMPLETE
    except subprocess.TimeoutExpired:
        ended = f"stopped after {limit} s"
    return {"ended": ended, "seconds": round(time.monotonic() - began, 1)}


def run_units(step: str, setting: Setting) -> None:
    """Run the units of a step that are not complete.

    `<step>.json` has, for each unit, its rows and how it ended.

    Raises:
        UserError: a unit failed.
    """
    file = setting.out / f"{step}.json"
    results = read_json(file) if file.exists() else {}
    failed = []
    for unit, rows in STEPS[step][0](setting):
        if results.get(unit, {}).get("ended") == COMPLETE:
            continue
        result = results[unit] = {"ended": "stopped", "rows": []}
        try:
            for row in rows():
                print(unit, row, flush=True)
                result["rows"].append(row)
                write_json(file, results)
            result["ended"] = COMPLETE
        except Exception as error:  # such as too little memory: the next unit may succeed
            result["ended"] = f"{type(error).__name__}: {first_line(error)}"
            failed.append(f"{unit}: {result['ended']}")
        write_json(file, results)
        gc.collect()  # models are in reference cycles, and hold the memory of the GPU
    if failed:
        raise UserError(f"{file}: {'; '.join(failed)}")


def describe_machine(setting: Setting) -> None:
    """Write machine.json: what computes the results.

    Raises:
        UserError: the folder has results of another GPU or of other versions.
    """
    size = setting.size
    operations = cost("", densenet121, torch.zeros(3, 3, size, size, device="meta")).operations
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in ("torch", "torchvision", "numpy")},
        "cores": os.cpu_count(),
        "device": setting.device.type,
        "operations_per_image": 3 * operations,  # forward, and twice as many backward
    }
    if setting.device.type == "cuda":
        card = torch.cuda.get_device_properties(0)
        found |= {
            "card": card.name,
            "card_bytes": card.total_memory,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        }
    file = setting.out / "machine.json"
    if file.exists():
        kept = read_json(file)
        different = [name for name, value in found.items() if kept.get(name) != value]
        if different:
            raise UserError(
                f"{setting.out}: its results are of another machine ({', '.join(different)}); "
                "give another folder as --out"
            )
        return
    if setting.device.type == "cuda":
        found["bfloat16_operations_per_second"] = matrix_product_rate()
    write_json(file, found)


def matrix_product_rate(size: int = 8192, repeats: int = 20) -> float:
    """The operations per second of a large product of bfloat16 matrices on the GPU."""
    a, b = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    seconds = []
    for _ in range(3):  # the first one also warms up
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(repeats):
            a @ b
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return 2 * size**3 * repeats / min(seconds)


if __name__ == "__main__":
    run_command(main)
