"""Tiny trainings on emulated processors: where are the weights the same bytes as here?

`python -m tests.stress.portable --cpus Haswell EPYC` trains here and under `qemu-x86_64`
(Debian's package qemu-user), with the instructions pinned and without. Pinned, the bytes must be
the same on every processor that has AVX2. Unpinned, some must differ, or the pinning was not tried.
Emulated arithmetic is exact, but some thirty times as slow: a processor takes minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from dlvc.models.densenet import DenseNet121
from dlvc.models.lenet import LeNet
from dlvc.models.mlp import per_sample
from dlvc.models.mlp.network import MLP
from dlvc.params.schema import Runtime as Settings
from dlvc.training.determinism import PINNED, instructions_are_pinned
from dlvc.training.initialization import init_model
from dlvc.training.loop import train_one_epoch
from dlvc.training.optimizers import SGD, Adam, Optimizer
from dlvc.training.runtime import prepare_runtime
from dlvc.training.samples import EpochState, Samples
from dvcview.console import run_command
from dvcview.errors import UserError

HERE = "here"


def main() -> None:
    """Compare and print the table; exit code 1 when pinned bytes differ or unpinned ones do not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpus", nargs="+", default=["Haswell", "EPYC"], help="as QEMU names them")
    parser.add_argument("--trainings", nargs="+", default=[*TRAININGS], choices=[*TRAININGS])
    parser.add_argument("--digests", action="store_true", help="train here and print JSON; no more")
    arguments = parser.parse_args()
    if arguments.digests:
        print(json.dumps({name: digest(TRAININGS[name]()) for name in arguments.trainings}))
        return
    raise SystemExit(0 if run_rounds(arguments.cpus, arguments.trainings, print) else 1)


def run_rounds(cpus: list[str], trainings: list[str], report: Callable[[str], None]) -> bool:
    """Whether pinning makes all bytes the same, and without it some differ; tells a table."""
    report(f"| pinned | processor | {' | '.join(trainings)} |\n|{'---|' * (len(trainings) + 2)}")
    others = {True: 0, False: 0}
    for pinned in (False, True):
        expected = digests_on(HERE, trainings, pinned=pinned)
        found = {HERE: expected} | {cpu: digests_on(cpu, trainings, pinned=pinned) for cpu in cpus}
        for cpu, digests in found.items():
            same = [digests[name] == expected[name] for name in trainings]
            others[pinned] += same.count(False)
            cells = ["same" if equal else "**other**" for equal in same]
            report(f"| {'yes' if pinned else 'no'} | {cpu} | {' | '.join(cells)} |")
    report(f"trainings with other bytes than here: {others[False]} unpinned, {others[True]} pinned")
    return others[True] == 0 < others[False]


def digests_on(cpu: str, trainings: list[str], *, pinned: bool) -> dict[str, str]:
    """SHA-256 of the trained weights by training, from a fresh process here or emulated."""
    inherited = {name: value for name, value in os.environ.items() if name not in PINNED}
    emulator = [] if cpu == HERE else ["qemu-x86_64", "-cpu", cpu]
    program = [
        sys.executable,
        "-m",
        "tests.stress.portable",
        "--digests",
        "--trainings",
        *trainings,
    ]
    with tempfile.TemporaryDirectory() as compiled:  # Numba's code must be this processor's own
        environment = inherited | (PINNED if pinned else {}) | {"NUMBA_CACHE_DIR": compiled}
        try:
            done = subprocess.run(
                [*emulator, *program], env=environment, capture_output=True, text=True, check=True
            )
        except FileNotFoundError:
            raise UserError("qemu-x86_64 is not found; install qemu-user") from None
        except subprocess.CalledProcessError as error:
            last = (error.stderr.strip().splitlines() or ["no message"])[-1]
            raise UserError(f"the trainings failed on {cpu}: {last}") from None
    digests: dict[str, str] = json.loads(done.stdout)
    return digests


def digest(model: nn.Module) -> str:
    """Of all weights and buffers, in their order."""
    content = hashlib.sha256()
    for value in model.state_dict().values():
        content.update(value.contiguous().numpy().tobytes())
    return content.hexdigest()


def images(number: int, *shape: int) -> Samples:
    """Noise, four fifths of it black, drawn as whole numbers: the same on every processor."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (number, *shape), np.uint8)
    pixels[rng.integers(0, 5, pixels.shape) > 0] = 0
    return Samples.from_numpy(pixels, np.arange(number) % 10, torch.device("cpu"))


def train(
    build: Callable[[], nn.Module],
    rule: Callable[[list[nn.Parameter]], Optimizer],
    samples: Samples,
    *,
    batch_size: int,
    one_epoch: Callable[..., Iterator[None]] = train_one_epoch,
) -> nn.Module:
    """One epoch on two threads, as a stage would train."""
    settings = Settings(
        device="cpu", threads=2, processes=1, precision="float32", memory_format="channels_last",
        compile=False,
        reproducible="portable" if instructions_are_pinned() else "machine",
    )  # fmt: skip
    model = prepare_runtime(settings).prepare(init_model(build, seed=7))
    loss_function = F.cross_entropy if isinstance(model, MLP) else F.nll_loss
    training = EpochState.start(torch.arange(len(samples)), batch_size)
    for _ in one_epoch(model, loss_function, rule([*model.parameters()]), samples, training):
        pass
    return model


descent = partial(SGD, learning_rate=0.1)
momentum = partial(SGD, learning_rate=0.01, momentum=0.9)
adam = partial(Adam, learning_rate=1e-4)

TRAININGS: dict[str, Callable[[], nn.Module]] = {
    "descent": lambda: train(MLP, descent, images(64, 28, 28), batch_size=32),
    "momentum": lambda: train(MLP, momentum, images(64, 28, 28), batch_size=32),
    "adam": lambda: train(MLP, adam, images(64, 28, 28), batch_size=32),
    "per_sample": lambda: train(
        MLP, descent, images(12, 28, 28), batch_size=1, one_epoch=per_sample.train_one_epoch
    ),
    "lenet": lambda: train(LeNet, adam, images(64, 28, 28), batch_size=32),
    "densenet": lambda: train(
        lambda: DenseNet121(image_size=32), adam, images(4, 32, 32, 3), batch_size=2
    ),
}


if __name__ == "__main__":
    run_command(main)
