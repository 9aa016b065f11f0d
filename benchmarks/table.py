"""The lectures' own loops and ours, in turn, as a table of medians and ratios."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks import lecture_loops
from benchmarks.busy import measure_beside_a_busy_process
from benchmarks.lecture_features import features_of_all
from benchmarks.measure import TURNS, Times, in_a_process, in_turn, machine, written
from benchmarks.works import (
    CPU,
    DENSENET_UPDATES,
    SAMPLE_UPDATES,
    bare_products,
    digits,
    extract_file,
    lecture_per_epoch,
    ours,
    ours_per_epoch,
    ours_per_sample,
    runtime,
    train_densenet,
)
from dlvc.arrays.dataset import Dataset
from dlvc.data.bundled import bundled_photos
from dlvc.features import extract
from dlvc.models.lenet import LeNet
from dlvc.models.mlp.network import MLP
from dlvc.training.initialization import init_model
from dlvc.training.loop import train_one_epoch
from dlvc.training.optimizers import SGD, Adam
from dlvc.training.samples import EpochState, Samples

LOOP_IMAGES = 300  # scikit-image needs milliseconds for each
MANY = (100_000, 1_000_000)


def row(work: str, lecture: Times, our: Times, *, scale: float = 1, note: str = "") -> str:
    """A line of the table; the lecture's work is `scale` times as large as what was timed."""
    seconds, ratio = lecture.median * scale, lecture.median * scale / our.median
    return (
        f"| {work} | {written(seconds)} ({lecture.spread}) | {written(our.median)} ({our.spread}) "
        f"| **{ratio:.3g}** | {note} |"
    )


def measure_features(photos: Dataset) -> Iterator[str]:
    """Lecture 3."""
    images = np.concatenate([photos.train_images, photos.test_images])
    times = in_turn(
        {
            "lecture": lambda: features_of_all(images[:LOOP_IMAGES]),
            "one": lambda: extract(images, threads=1),
            "two": lambda: extract(images, threads=2),
        },
        TURNS,
    )
    scale = len(images) / LOOP_IMAGES
    for cores in ("one", "two"):
        work = (
            f"nine features of {len(images):,} images, ours on {cores} core{'s' * (cores == 'two')}"
        )
        yield row(work, times["lecture"], times[cores], scale=scale)


def measure_mlp(data: Dataset) -> Iterator[str]:
    """Lecture 24."""
    descent = partial(SGD, learning_rate=0.1)
    times = in_turn(
        {
            "lecture": lambda: lecture_loops.once_a_batch(data),
            "ours": ours(data, MLP, F.cross_entropy, descent, batch_size=100),
            "floor": bare_products(data),
        },
        TURNS,
    )
    floor = times["ours"].median / times["floor"].median
    note = f"{floor:.2f} times the bare matrix products ({written(times['floor'].median)})"
    yield row("MLP, an epoch, per batch", times["lecture"], times["ours"], note=note)

    times = in_turn(
        {
            "lecture": lambda: lecture_loops.once_an_epoch(data),
            "ours": ours_per_epoch(data),
        },
        TURNS,
    )
    memory = [in_a_process(prepare, data)[1] for prepare in (lecture_per_epoch, ours_per_epoch)]
    note = f"memory {memory[0]:.0f} MB and {memory[1]:.0f} MB: {memory[0] / memory[1]:.1f} times"
    yield row("MLP, an epoch, per epoch", times["lecture"], times["ours"], note=note)

    samples = Samples.from_numpy(data.train_images, data.train_labels, CPU)
    model = init_model(MLP, seed=1)
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(1))
    rule = SGD(model.parameters(), 0.01)
    times = in_turn(
        {
            "lecture": lambda: lecture_loops.once_a_sample(data, SAMPLE_UPDATES),
            "loop": lambda: list(
                train_one_epoch(
                    model,
                    F.cross_entropy,
                    rule,
                    samples,
                    EpochState.start(order[:SAMPLE_UPDATES], 1),
                )
            ),
            "ours": ours_per_sample(data),
        },
        TURNS,
    )
    number = len(order)
    note = f"an update {written(times['ours'].median / number)}, "
    note += f"by autograd {written(times['loop'].median / SAMPLE_UPDATES)}"
    scale = number / SAMPLE_UPDATES
    work = f"MLP, {number:,} updates, per sample"
    yield row(work, times["lecture"], times["ours"], scale=scale, note=note)


def measure_lenet(data: Dataset) -> Iterator[str]:
    """Lecture 29."""
    rule = partial(Adam, learning_rate=1e-4)
    works = {
        "lecture": lambda: lecture_loops.lenet(data),
        "ours": ours(data, LeNet, F.nll_loss, rule, batch_size=100),
    }
    times = in_turn(works, TURNS)
    yield row("LeNet, an epoch", times["lecture"], times["ours"])


def measure_densenet(photos: Dataset) -> Iterator[str]:
    """Lecture 40."""
    times = in_turn(
        {
            "lecture": lambda: lecture_loops.densenet(photos, DENSENET_UPDATES),
            "float32": train_densenet(photos, None),
            "bfloat16": train_densenet(photos, torch.bfloat16),
        },
        TURNS,
    )
    images = 32 * DENSENET_UPDATES
    for precision in ("bfloat16", "float32"):
        speeds = (images / times[name].median for name in ("lecture", precision))
        note = "{:.1f} and {:.1f} images a second".format(*speeds)
        work = f"DenseNet-121 at 224 px, {images} images, ours in {precision}"
        yield row(work, times["lecture"], times[precision], note=note)


def measure_million(photos: Dataset) -> Iterator[str]:
    """The features of a million images that do not fit into what memory they may take."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.npy"
        images = np.lib.format.open_memmap(path, "w+", np.uint8, (1_000_000, 32, 32, 3))
        for start in range(0, len(images), len(photos.train_images)):
            part = images[start : start + len(photos.train_images)]
            part[:] = photos.train_images[: len(part)]
        del images
        turns = [[in_a_process(extract_file, path, n) for n in MANY] for _ in range(TURNS)]
    few, many = (statistics.median(turn[k][0] for turn in turns) / MANY[k] for k in range(2))
    memory = max(turn[1][1] for turn in turns)
    yield (
        f"| nine features of {MANY[1]:,} images from a file | | {written(many * MANY[1])} | "
        f"{many / few:.2f} | times as long an image as of {MANY[0]:,}; memory {memory:.0f} MB |"
    )


def main() -> None:
    """Measure, and print a table as each line is known."""
    runtime()  # the loops run under it, too
    mnist, photos = digits(), bundled_photos(train=50_000, test=10_000, seed=1)
    print(f"{machine()}; digits: {mnist.name}; {TURNS} turns, (spread)\n")
    print("| work | the lecture's loop | ours | ratio | |")
    print("|---|---|---|---|---|")
    for measure in (
        partial(measure_features, photos),
        partial(measure_million, photos),
        partial(measure_mlp, mnist),
        partial(measure_lenet, mnist),
        partial(measure_densenet, photos),
        measure_beside_a_busy_process,
    ):
        for line in measure():
            print(line, flush=True)
