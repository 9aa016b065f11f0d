"""`python -m benchmarks.scaling`: what docs/scaling.md says of several processes, measured here.

What an update of DenseNet-121 takes in one process, by the number of its images; what two processes
on this machine send each other, and how long that takes; a training of two, beside what is computed
for it from those; and the same computation for more processes and other networks.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.multiprocessing.spawn import spawn
from torch.nn import functional as F

from benchmarks.measure import in_turn, machine
from dlvc.data.bundled import bundled_photos
from dlvc.models.densenet import DenseNet121
from dlvc.training.batch_norm import synchronize_batch_norm
from dlvc.training.initialization import init_model
from dlvc.training.loop import train_one_epoch
from dlvc.training.optimizers import Adam
from dlvc.training.process_group import SINGLE_PROCESS, ProcessGroup
from dlvc.training.samples import EpochState, Samples

BATCH, BATCHES, TURNS, OFTEN = 32, 8, 5, 100
SHARES = (32, 16, 8, 4, 2)  # images: at 32 px a single one has nothing to normalise over
NETWORKS = {  # bytes a second, and seconds until the smallest message is there
    "1 Gbit/s": (0.117e9, 100e-6),
    "10 Gbit/s": (1.17e9, 50e-6),
    "100 Gbit/s": (11.7e9, 5e-6),
}
PROCESSES = (2, 4, 8, 16)
WORTH = 0.9  # one more pays while an update takes less than this part of its time before


def samples(number: int) -> Samples:
    """Photographs, as many as are asked for."""
    photos = bundled_photos(1000, 10, seed=1)
    images, labels = photos.train_images[:number], photos.train_labels[:number]
    return Samples.from_numpy(images, labels, torch.device("cpu"))


def model(group: ProcessGroup = SINGLE_PROCESS) -> DenseNet121:
    """As the stage has it, at 32 px."""
    made = init_model(partial(DenseNet121, 32), seed=1).to(memory_format=torch.channels_last)
    if group.size > 1:
        synchronize_batch_norm(made, group)
    return made.train()


def updates(group: ProcessGroup) -> Callable[[], None]:
    """`BATCHES` updates, as the loop does them."""
    net, images = model(group), samples(BATCH * BATCHES)
    optimizer = Adam(net.parameters(), 1e-4)

    def train() -> None:
        order = EpochState.start(torch.arange(len(images)), BATCH)
        for _ in train_one_epoch(net, F.nll_loss, optimizer, images, order, group=group):
            pass

    return train


def share(images: int) -> Callable[[], None]:
    """Forward and backward for some of a batch, in one process."""
    net, some = model(), samples(images)

    def pass_once() -> None:
        net.zero_grad()
        F.nll_loss(net(some.images), some.labels).backward()  # type: ignore[no-untyped-call]

    return pass_once


def add_up_often(group: ProcessGroup, tensors: list[Tensor]) -> None:
    """One message is too quick for a clock."""
    for _ in range(OFTEN):
        group.all_reduce(tensors)


def measure_together(rank: int, size: int, folder: Path) -> None:
    """In each of several processes; the first one leaves what it found, in seconds."""
    torch.set_num_threads(1)
    meeting = f"file://{folder / 'meeting'}"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=size)
    group = ProcessGroup(rank, size)
    gradients = [torch.zeros_like(w) for w in model().parameters()]
    times = in_turn(
        {
            "gradients": partial(group.all_reduce, gradients),
            "small": partial(add_up_often, group, [torch.zeros(2 * 256)]),
            "update": updates(group),
        },
        TURNS,
    )
    if rank == 0:
        torch.save({name: found.median for name, found in times.items()}, folder / "found.pt")
    dist.destroy_process_group()


def together(size: int) -> dict[str, float]:
    """Seconds that several processes on this machine take."""
    with tempfile.TemporaryDirectory() as folder:
        spawn(measure_together, (size, Path(folder)), nprocs=size)  # type: ignore[no-untyped-call]
        found: dict[str, float] = torch.load(Path(folder) / "found.pt")
    return {
        "gradients": found["gradients"],
        "small": found["small"] / OFTEN,
        "update": found["update"] / BATCHES,
    }


def main() -> None:
    """Measure, compute, print."""
    torch.set_num_threads(1)
    print(machine())
    net = model()
    volume = 4 * sum(w.numel() for w in net.parameters())
    layers = sum(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    messages = 2 * layers + 1  # of each normalisation forward and backward, and of the losses
    print(f"gradients of an update: {volume / 1e6:.1f} MB; small messages: {messages}")

    works = {"update": updates(SINGLE_PROCESS), **{str(images): share(images) for images in SHARES}}
    times = in_turn(works, TURNS)
    alone = times["update"].median / BATCHES
    shares = {images: times[str(images)].median for images in SHARES}
    rest = alone - shares[BATCH]  # the optimizer's, whatever the share
    for images, seconds in shares.items():
        print(f"forward and backward, {images} images: {1000 * seconds:.0f} ms")
    two = together(2)
    sent = two["gradients"] + messages * two["small"]
    computed = rest + shares[BATCH // 2] + sent
    print(f"an update by one process: {1000 * alone:.0f} ms ({times['update'].spread})")
    print(f"by two: {1000 * two['update']:.0f} ms; computed: {1000 * computed:.0f} ms")
    print(f"  of which gradients {1000 * two['gradients']:.1f} ms")
    print(f"  and small messages {1e6 * two['small']:.0f} µs each, {1000 * sent:.0f} ms in all")

    print(f"\n| network | {' | '.join(map(str, PROCESSES))} | one more pays up to |")
    print("|---" * (len(PROCESSES) + 2) + "|")
    for name, (bandwidth, latency) in NETWORKS.items():

        def update(n: int, bandwidth: float = bandwidth, latency: float = latency) -> float:
            """Computed: a ring sends 2 (n - 1) / n of the gradients, in 2 (n - 1) steps."""
            steps = 2 * (n - 1)
            wire = steps / n * volume / bandwidth + steps * latency * (messages + 1)
            return rest + between(shares, BATCH / n) + wire

        pays = next(n for n in range(1, BATCH) if update(n + 1) > WORTH * update(n))
        speedups = [f"{alone / update(n):.1f}" for n in PROCESSES]
        print(f"| {name} | {' | '.join(speedups)} | {pays} |")


def between(shares: dict[int, float], images: float) -> float:
    """Between two measured numbers of images, along a line."""
    below = max((n for n in shares if n <= images), default=min(shares))
    above = min((n for n in shares if n >= images), default=max(shares))
    if below >= above:
        return shares[above]
    return shares[below] + (images - below) / (above - below) * (shares[above] - shares[below])


if __name__ == "__main__":
    main()
