"""Lecture 40 as lectured, on a machine with one data-centre GPU and a quarter of an hour.

`python -m benchmarks.gpu --photos cifar10.tar.xz --digits MNIST_FOLDER --out OUT` needs torch,
torchvision, NumPy, Numba, Pillow, tqdm, filelock and safetensors, no network, and neither DVC nor
MLflow. `--small` runs every step in small, on the CPU if there is no GPU.

The steps run one after the other, each in a process of its own with a time limit, and write their
results at once. A step that fails or takes too long costs no other one.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torchvision.models import densenet121, resnet18, resnet50, vgg16

from benchmarks.gpu_loop import GraphedEpoch
from benchmarks.lecture_loops import once_a_batch, once_a_sample, once_an_epoch
from dlvc.arrays.array_files import read_npy, write_npy
from dlvc.arrays.dataset import Dataset
from dlvc.data.mnist import load_mnist
from dlvc.models.costs import cost
from dlvc.models.densenet import DenseNet121
from dlvc.models.lenet import LeNet
from dlvc.models.mlp.network import MLP
from dlvc.training.initialization import init_model
from dlvc.training.loop import fit, train_one_epoch
from dlvc.training.optimizers import SGD, Adam
from dlvc.training.results import curve_rows
from dlvc.training.runtime import Runtime
from dlvc.training.samples import EpochState, Samples
from dvcview.files.artifacts import write_csv, write_json

SIZE = 224  # pixels, the lecture's
RATE, BATCH = 1e-4, 32  # the lecture's
PARTS = ("train", "test")
LAST, CONTIGUOUS = torch.channels_last, torch.contiguous_format


@dataclass(frozen=True)
class Setting:
    """Where the images and results are, and whether this is a run in small."""

    photos: str  # the .tar.xz
    digits: str  # a folder with MNIST's four files
    out: str
    small: bool

    @property
    def device(self) -> torch.device:
        """The GPU; the CPU for a run in small without one."""
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def file(self, name: str) -> Path:
        """A file of results."""
        return Path(self.out) / name

    def photographs(self) -> tuple[Samples, Samples]:
        """The photographs for training and testing, uint8 `(N, 32, 32, 3)`, on the device."""
        arrays = Path(self.out) / "images"
        if not arrays.exists():
            unpack(Path(self.photos), arrays)
        counts = (96, 64) if self.small else (None, None)
        train, test = (
            Samples.from_numpy(
                read_npy(arrays / f"{part}_images.npy")[:count],
                read_npy(arrays / f"{part}_labels.npy")[:count],
                self.device,
            )
            for part, count in zip(PARTS, counts, strict=True)
        )
        return train, test

    def mnist(self) -> Dataset:
        """MNIST, or its first thousand images."""
        data = load_mnist(Path(self.out) / "raw", self.digits)
        count = 1000 if self.small else None
        return replace(
            data, train_images=data.train_images[:count], train_labels=data.train_labels[:count]
        )

    def runtime(
        self, dtype: torch.dtype | None, memory_format: torch.memory_format = LAST
    ) -> Runtime:
        """How torch computes on the device."""
        return Runtime(self.device, memory_format, dtype, compile=False)


def unpack(archive: Path, folder: Path) -> None:
    """Decode `train/<class>/*.jpg` and `test/<class>/*.jpg` of an archive into four arrays."""
    pictures: dict[str, list[np.ndarray[Any, Any]]] = {part: [] for part in PARTS}
    names: dict[str, list[str]] = {part: [] for part in PARTS}
    with tarfile.open(archive) as tar:
        for member in tar:
            part, *rest = Path(member.name).parts
            if member.isfile() and part in PARTS and len(rest) == 2:
                content = tar.extractfile(member)
                assert content is not None  # noqa: S101
                with Image.open(io.BytesIO(content.read()), formats=("JPEG",)) as image:
                    pictures[part].append(np.asarray(image.convert("RGB")))
                names[part].append(rest[0])
    classes = sorted(set(names["train"]))
    rng = np.random.default_rng(0)  # for runs in small, which take the first images
    for part in PARTS:
        order = rng.permutation(len(names[part]))
        labels = np.array([classes.index(name) for name in names[part]], dtype=np.int64)
        write_npy(folder / f"{part}_images.npy", np.stack(pictures[part])[order])
        write_npy(folder / f"{part}_labels.npy", labels[order])


def lecture_densenet(image_size: int) -> DenseNet121:
    """DenseNet-121 with PyTorch 0.3's initial weights, which lecture 40 very likely had.

    torchvision gave DenseNet its Kaiming initialisation in December 2017, and PyTorch 0.3 drew the
    scale of batch normalization from [0, 1).
    """
    model = DenseNet121(image_size)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.reset_parameters()
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight)
    return model


def equality(setting: Setting) -> Iterator[Mapping[str, Any]]:
    """One update on the CPU and on the device; and trainings on the device, each of them twice."""
    torch.set_deterministic_debug_mode("error")
    train, _ = setting.photographs()
    size = 64 if setting.small else SIZE
    weights = {}
    for device in ("cpu", setting.device.type):
        runtime = replace(setting.runtime(None), device=torch.device(device))
        samples = Samples(train.images[:BATCH].to(device), train.labels[:BATCH].to(device))
        model = runtime.prepare(init_model(partial(lecture_densenet, size), seed=40))
        state = EpochState.sequential(samples, BATCH)
        list(train_one_epoch(model, F.nll_loss, Adam(model.parameters(), RATE), samples, state))
        weights[device] = (state.losses[0].item(), [w.detach().cpu() for w in model.parameters()])
    (loss, one), (other_loss, other) = weights["cpu"], weights[setting.device.type]
    yield {
        "what": "one update of DenseNet-121 in float32 on the CPU and on the device",
        "relative difference of the losses": abs(loss - other_loss) / abs(loss),
        # Adam's first step is the rate times the sign of the gradient.
        "fraction of weights that differ by more than half a step": float(
            sum(((a - b).abs() > RATE / 2).sum() for a, b in zip(one, other, strict=True))
            / sum(a.numel() for a in one)
        ),
    }
    data = setting.mnist()
    digits = Samples.from_numpy(data.train_images, data.train_labels, setting.device)
    trainings: dict[str, tuple[Callable[[], nn.Module], Any, Any, int, bool]] = {
        "LeNet": (LeNet, F.nll_loss, partial(Adam, learning_rate=1e-4), 100, False),
        "MLP, per batch": (MLP, F.cross_entropy, partial(SGD, learning_rate=0.1), 100, False),
        "MLP, per epoch": (MLP, F.cross_entropy, partial(SGD, learning_rate=0.1), 1000, True),
    }
    for name, (model_fn, loss_function, optimizer_fn, batch_size, accumulate) in trainings.items():
        found = []
        for _ in range(2):
            classifier = setting.runtime(None).prepare(init_model(model_fn, seed=24))
            generator = torch.Generator().manual_seed(24)
            for _ in fit(
                classifier, loss_function, optimizer_fn(classifier.parameters()), digits, digits,
                epochs=1, batch_size=batch_size, generator=generator, accumulate=accumulate,
            ):  # fmt: skip
                pass
            found.append([w.detach().cpu() for w in classifier.parameters()])
        same = all(torch.equal(a, b) for a, b in zip(*found, strict=True))
        yield {"what": f"{name}, one epoch twice on the device", "same bytes": same}


def speed(setting: Setting) -> Iterator[Mapping[str, Any]]:
    """Images a second in training, for each way of computing."""
    train, _ = setting.photographs()
    ways = [
        (precision, memory_format, "eager", batch)
        for precision in ("float32", "tf32", "bfloat16")
        for memory_format in (LAST, CONTIGUOUS)
        for batch in (BATCH, 128)
    ]
    ways += [
        ("bfloat16", LAST, mode, batch) for mode in ("graph", "compiled") for batch in (BATCH, 128)
    ]
    ways += [("tf32", LAST, "graph", BATCH), ("float32", LAST, "graph", BATCH)]
    if setting.small:
        ways = [("float32", LAST, "eager", BATCH), ("bfloat16", LAST, "eager", BATCH)]
    for precision, memory_format, mode, batch in ways:
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        runtime = setting.runtime(
            torch.bfloat16 if precision == "bfloat16" else None, memory_format
        )
        runtime = replace(runtime, compile=mode == "compiled")
        model = runtime.prepare(
            init_model(partial(lecture_densenet, 64 if setting.small else SIZE), 40)
        )
        optimizer = Adam(model.parameters(), RATE)
        one_epoch = GraphedEpoch() if mode == "graph" else train_one_epoch
        updates, warm = (2, 1) if setting.small else (60, 20)
        chosen = torch.randint(len(train), ((updates + warm) * batch,), generator=torch.Generator())
        samples = Samples(
            train.images[chosen.to(setting.device)], train.labels[chosen.to(setting.device)]
        )
        state = EpochState.sequential(samples, batch)
        began = time.perf_counter()
        for number, _ in enumerate(one_epoch(model, F.nll_loss, optimizer, samples, state), 1):
            if number == warm:
                synchronize(setting.device)
                began = time.perf_counter()
        synchronize(setting.device)
        seconds = time.perf_counter() - began
        yield {
            "precision": precision,
            "memory_format": "channels_last" if memory_format is LAST else "contiguous",
            "mode": mode,
            "batch_size": batch,
            "images_per_second": updates * batch / seconds,
        }


def synchronize(device: torch.device) -> None:
    """Wait for the GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def train_densenet(
    setting: Setting, dtype: torch.dtype | None, epochs: int, seeds: Sequence[int], name: str
) -> Iterator[Mapping[str, Any]]:
    """Lecture 40's training; one row per epoch. Writes the kernels of the first seed."""
    train, test = setting.photographs()
    runtime = setting.runtime(dtype)
    for seed in seeds:
        model = runtime.prepare(
            init_model(partial(lecture_densenet, 64 if setting.small else SIZE), seed)
        )
        before = {"conv0": model.conv0.detach().cpu().float().numpy().copy()}
        one_epoch = GraphedEpoch() if setting.device.type == "cuda" else train_one_epoch
        began = time.perf_counter()
        for result in fit(
            model, F.nll_loss, Adam(model.parameters(), RATE), train, test, epochs=epochs,
            batch_size=BATCH, generator=torch.Generator().manual_seed(seed), one_epoch=one_epoch,
        ):  # fmt: skip
            synchronize(setting.device)
            (row,) = curve_rows([result], lecture_scale=True)
            yield {"seed": seed, **row, "seconds": time.perf_counter() - began}
            began = time.perf_counter()
        if seed == seeds[0]:
            after = model.conv0.detach().cpu().float().numpy()
            write_npy(setting.file(f"{name}_conv0.npy"), np.stack([before["conv0"], after]))


def memory(setting: Setting) -> Iterator[Mapping[str, Any]]:
    """The peak memory of a training in float32, measured on a GPU, and counted (claim 40-6)."""
    size = 32 if setting.small else SIZE
    for name, model_fn in {
        "DenseNet-121": densenet121, "ResNet-18": resnet18, "ResNet-50": resnet50, "VGG-16": vgg16,
    }.items():  # fmt: skip
        counted = cost(name, model_fn, torch.zeros(3, 3, size, size, device="meta"))
        row: dict[str, Any] = {**asdict(counted), "batch_size": BATCH}
        if setting.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            model = model_fn().to(setting.device)
            optimizer = Adam(model.parameters(), RATE)
            inputs = torch.rand(BATCH, 3, size, size, device=setting.device)
            labels = torch.zeros(BATCH, dtype=torch.int64, device=setting.device)
            for _ in range(2):
                loss = F.cross_entropy(model(inputs), labels)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                optimizer.zero_grad()
            row["peak_bytes"] = torch.cuda.max_memory_allocated()
            del model, optimizer, inputs, loss
        yield row


def rules(setting: Setting) -> Iterator[Mapping[str, Any]]:
    """The seconds of an epoch of lecture 24's rules in the lecture's own loop, in turns."""
    data = setting.mnist()
    updates = 200 if setting.small else 20_000  # of the 60,000 images of lecture 24c
    loops: dict[str, Callable[[], object]] = {
        "per_epoch": partial(once_an_epoch, data, device=setting.device),
        "per_batch": partial(once_a_batch, data, device=setting.device),
        "per_sample": partial(once_a_sample, data, updates, device=setting.device),
    }
    for turn in range(1 if setting.small else 3):
        for rule, loop in loops.items():
            began = time.perf_counter()
            loop()
            synchronize(setting.device)
            seconds = time.perf_counter() - began
            share = updates / len(data.train_labels) if rule == "per_sample" else 1
            yield {"turn": turn, "rule": rule, "share_of_epoch": share, "seconds": seconds}


def updates_per_epoch(setting: Setting) -> Iterator[Mapping[str, Any]]:
    """The per-epoch rule for 6,000 updates on all images, and the per-batch rule for ten epochs.

    Claim 24-4: both rules are equally accurate after 600 and after 6,000 updates.
    """
    data = setting.mnist()
    train = Samples.from_numpy(data.train_images, data.train_labels, setting.device)
    test = Samples.from_numpy(data.test_images, data.test_labels, setting.device)
    count = len(train)
    for rule, lecture_epochs in (("per_batch", 10), ("per_epoch", 6000)):
        epochs = 2 if setting.small else lecture_epochs
        for seed in (24, 25, 26) if rule == "per_batch" else (24,):
            model = setting.runtime(None).prepare(init_model(MLP, seed))
            for result in fit(
                model, F.cross_entropy, SGD(model.parameters(), 0.1), train, test, epochs=epochs,
                batch_size=count if rule == "per_epoch" else 100,
                generator=torch.Generator().manual_seed(seed),
            ):  # fmt: skip
                if rule == "per_batch" or result.epoch % 100 == 0 or setting.small:
                    (row,) = curve_rows([result], lecture_scale=False)
                    yield {"rule": rule, "seed": seed, **row}


# Step: its rows, and the most seconds that it may take. In the order of their worth.
STEPS: dict[str, tuple[Callable[[Setting], Iterator[Mapping[str, Any]]], int]] = {
    "equality": (equality, 60),
    "speed": (speed, 150),
    "bfloat16": (
        lambda s: train_densenet(
            s, torch.bfloat16, 2 if s.small else 10, (40,) if s.small else (40, 41, 42), "bfloat16"
        ),
        330,
    ),
    "memory": (memory, 40),
    "rules": (rules, 150),
    "updates": (updates_per_epoch, 120),
    "float32": (lambda s: train_densenet(s, None, 1, (40,), "float32"), 90),
}


def main() -> None:
    """Run the steps, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", required=True)
    parser.add_argument("--digits", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--here", action="store_true", help="the first step, in this process")
    arguments = vars(parser.parse_args())
    steps, here = arguments.pop("steps"), arguments.pop("here")
    setting = Setting(**arguments)
    if here:
        step = steps[0]
        rows: list[Mapping[str, Any]] = []
        for row in STEPS[step][0](setting):
            rows.append(row)
            print(json.dumps(row), flush=True)
            if step == "equality":
                write_json(setting.file("equality.json"), {"rows": rows})
            else:
                write_csv(setting.file(f"{step}.csv"), rows)
        return
    setting.photographs()  # decoded once, before the first step
    write_json(setting.file("machine.json"), machine(setting))
    took = {}
    for name in steps:
        limit = STEPS[name][1]
        began = time.perf_counter()
        command = [sys.executable, "-m", "benchmarks.gpu", *sys.argv[1:], "--steps", name, "--here"]
        print(f"== {name}", flush=True)
        try:
            ended = str(subprocess.run(command, timeout=limit, check=False).returncode)
        except subprocess.TimeoutExpired:
            ended = f"stopped after {limit} s"
        took[name] = {"seconds": round(time.perf_counter() - began, 1), "ended": ended}
        write_json(setting.file("steps.json"), took)


def machine(setting: Setting) -> Mapping[str, Any]:
    """What computed the results."""
    found: dict[str, Any] = {
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in ("torch", "torchvision", "numpy", "numba")},
        "cores": os.cpu_count(),
        "device": setting.device.type,
    }
    if setting.device.type == "cuda":
        properties = torch.cuda.get_device_properties(0)
        found |= {
            "card": properties.name,
            "memory": properties.total_memory,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            "bfloat16_flops": matrix_product_rate(),
        }
    return found


def _version(package: str) -> str:
    return str(metadata.version(package))


def matrix_product_rate(size: int = 8192, repeats: int = 20) -> float:
    """The floating-point operations per second of a large product of bfloat16 matrices."""
    a, b = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        a @ b
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(repeats):
        a @ b
    torch.cuda.synchronize()
    return 2 * size**3 * repeats / (time.perf_counter() - began)


if __name__ == "__main__":
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    main()
