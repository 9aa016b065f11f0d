"""The steps of `benchmarks.gpu`.

A step is an iterator of units: a name, and a function that computes the rows of the unit. A unit is
repeated as a whole if it was interrupted.
"""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torchvision.models import densenet121, resnet18, resnet34, resnet50, vgg16

from benchmarks.gpu_loop import GraphedEpoch
from benchmarks.lecture_loops import once_a_batch, once_a_sample, once_an_epoch
from dlvc.arrays.array_files import read_npy, write_npy
from dlvc.arrays.dataset import Dataset
from dlvc.data.mnist import load_mnist
from dlvc.models.costs import cost
from dlvc.models.densenet import DenseNet121
from dlvc.models.lenet import LeNet
from dlvc.models.mlp.network import MLP
from dlvc.models.resnet import ResNet18
from dlvc.training.evaluation import LossFunction, evaluate_batches, evaluation_state
from dlvc.training.initialization import init_model
from dlvc.training.loop import fit, train_one_epoch
from dlvc.training.metrics import Evaluation
from dlvc.training.optimizers import SGD, Adam
from dlvc.training.results import curve_rows
from dlvc.training.runtime import Runtime
from dlvc.training.samples import EpochState, Samples
from dvcview.files.artifacts import read_json

RATE, BATCH = 1e-4, 32  # the lecture's
EPOCHS, SEEDS = 10, (40, 41, 42)
WARM_UP, UPDATES, SECONDS = 10, 100, 3  # of a measurement of speed: at most
TURNS = 3  # of the step `models`; claim 40-7 needs them
# Between a CPU and a GPU. The order of summation alone changes this gradient by half a per cent.
LOSS_TOLERANCE, GRADIENT_TOLERANCE = 1e-4, 2e-2
PARTS = ("train", "test")
MODELS = {
    "DenseNet-121": densenet121, "ResNet-18": resnet18, "ResNet-34": resnet34,
    "ResNet-50": resnet50, "VGG-16": vgg16,
}  # fmt: skip
LAST, CONTIGUOUS = torch.channels_last, torch.contiguous_format
Row = Mapping[str, Any]
Units = Iterator[tuple[str, Callable[[], Iterator[Row]]]]


@dataclass(frozen=True)
class Setting:
    """Where the images and results are, and whether this is a run in small.

    `images` is the folder of cifar10.tar.xz and mnist/. The decoded photographs are written there.
    """

    images: Path
    out: Path
    small: bool

    @property
    def device(self) -> torch.device:
        """The GPU; the CPU for a run in small without one."""
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @property
    def size(self) -> int:
        """The width in pixels to which photographs are enlarged; the lecture uses 224."""
        return 32 if self.small else 224

    @cached_property
    def photographs(self) -> tuple[Samples, Samples]:
        """The photographs for training and testing, uint8 `(N, 32, 32, 3)`, on the device."""
        unpack(self.images)
        counts = (144, 64) if self.small else (None, None)
        train, test = (
            Samples.from_numpy(
                read_npy(self.images / f"{part}_images.npy")[:count],
                read_npy(self.images / f"{part}_labels.npy")[:count],
                self.device,
            )
            for part, count in zip(PARTS, counts, strict=True)
        )
        return train, test

    @cached_property
    def mnist(self) -> Dataset:
        """MNIST, or its first thousand images."""
        data = load_mnist(self.images, None)
        count = 1000 if self.small else None
        return replace(
            data, train_images=data.train_images[:count], train_labels=data.train_labels[:count]
        )

    def digits(self) -> tuple[Samples, Samples]:
        """MNIST for training and testing, on the device."""
        data = self.mnist
        return (
            Samples.from_numpy(data.train_images, data.train_labels, self.device),
            Samples.from_numpy(data.test_images, data.test_labels, self.device),
        )

    def runtime(self, precision: str, memory_format: torch.memory_format = LAST) -> Runtime:
        """How torch computes on the device: in `float32`, `tf32` or `bfloat16`."""
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        dtype = torch.bfloat16 if precision == "bfloat16" else None
        return Runtime(self.device, memory_format, dtype, compile=False)

    def synchronize(self) -> None:
        """Wait for the GPU."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def unpack(folder: Path) -> None:
    """Decode `train/<class>/*.jpg` and `test/<class>/*.jpg` of cifar10.tar.xz into four arrays."""
    if (folder / "test_labels.npy").exists():
        return
    pictures: dict[str, list[np.ndarray[Any, Any]]] = {part: [] for part in PARTS}
    names: dict[str, list[str]] = {part: [] for part in PARTS}
    with tarfile.open(folder / "cifar10.tar.xz") as tar:
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


def equality(setting: Setting) -> Units:
    """One update on the CPU and on the device; trainings on the device, each of them twice; and
    updates with and without a CUDA graph."""
    torch.set_deterministic_debug_mode("error")
    yield "DenseNet-121, one update in float32 on the CPU and on the device", partial(cpu, setting)
    sgd = partial(SGD, learning_rate=0.1)
    trainings: dict[str, tuple[Callable[[], nn.Module], LossFunction, Any, int, bool]] = {
        "LeNet": (LeNet, F.nll_loss, partial(Adam, learning_rate=1e-4), 100, False),
        "MLP per batch": (MLP, F.cross_entropy, sgd, 100, False),
        "MLP per epoch": (MLP, F.cross_entropy, sgd, 1000, True),
    }
    for name, (model_fn, loss_function, optimizer_fn, batch, accumulate) in trainings.items():
        one = partial(weights_after, setting, model_fn, loss_function, optimizer_fn, batch)
        twice = [partial(one, accumulate=accumulate)] * 2
        yield f"{name}, one epoch twice on the device", partial(compare, *twice)
        if setting.device.type == "cuda" and not accumulate:
            graphed = partial(one, accumulate=False, one_epoch=GraphedEpoch())
            yield f"{name}, one epoch without and with a graph", partial(compare, twice[0], graphed)


def cpu(setting: Setting) -> Iterator[Row]:
    """The differences between one update of DenseNet-121 on the CPU and on the device."""
    train, _ = setting.photographs
    found = []
    for device in (torch.device("cpu"), setting.device):
        runtime = replace(setting.runtime("float32"), device=device)
        samples = Samples(train.images[:BATCH].to(device), train.labels[:BATCH].to(device))
        model = runtime.prepare(init_model(partial(DenseNet121, setting.size), seed=40))
        state, adam = EpochState.sequential(samples, BATCH), Adam(model.parameters(), RATE)
        list(train_one_epoch(model, F.nll_loss, adam, samples, state))
        # After one step, Adam's m is a tenth of the gradient.
        found.append(
            (state.losses[0].item(), torch.cat([m.cpu().flatten() for m in adam.state["m"]]))
        )
    (loss, m), (other_loss, other_m) = found
    of_losses = abs(loss - other_loss) / abs(loss)
    of_gradients = float((m - other_m).norm() / m.norm())
    yield {
        "relative_difference_of_losses": of_losses,
        "relative_difference_of_gradients": of_gradients,
        "within_tolerance": of_losses < LOSS_TOLERANCE and of_gradients < GRADIENT_TOLERANCE,
    }


def weights_after(
    setting: Setting,
    model_fn: Callable[[], nn.Module],
    loss_function: LossFunction,
    optimizer_fn: Callable[..., Any],
    batch_size: int,
    *,
    accumulate: bool,
    one_epoch: Callable[..., Iterator[None]] = train_one_epoch,
) -> list[torch.Tensor]:
    """The weights after one epoch."""
    train, test = setting.digits()
    model = setting.runtime("float32").prepare(init_model(model_fn, seed=24))
    for _ in fit(
        model, loss_function, optimizer_fn(model.parameters()), train, test, epochs=1,
        batch_size=batch_size, generator=torch.Generator().manual_seed(24), accumulate=accumulate,
        one_epoch=one_epoch,
    ):  # fmt: skip
        pass
    return [w.detach().cpu() for w in model.parameters()]


def compare(*trainings: Callable[[], list[torch.Tensor]]) -> Iterator[Row]:
    """Whether two trainings end with the same bytes, and their largest difference."""
    one, other = (training() for training in trainings)
    largest = max(float((a - b).abs().max()) for a, b in zip(one, other, strict=True))
    yield {
        "same_bytes": all(torch.equal(a, b) for a, b in zip(one, other, strict=True)),
        "largest_difference": largest,
    }


def speed(setting: Setting) -> Units:
    """Images a second in training, for each way of computing, in the order of their worth.

    The mode is `eager`, `graph` (a CUDA graph) or `compiled` (a CUDA graph of compiled kernels).
    """
    ways = [("bfloat16", LAST, "eager", BATCH), ("float32", LAST, "eager", BATCH)]
    if setting.device.type == "cuda":
        ways[1:] = [
            ("bfloat16", LAST, "graph", BATCH),
            ("tf32", LAST, "graph", BATCH),
            ("float32", LAST, "graph", BATCH),
            ("bfloat16", LAST, "graph", 128),
            ("float32", LAST, "eager", BATCH),
            ("tf32", LAST, "eager", BATCH),
            ("bfloat16", LAST, "eager", 128),
            ("bfloat16", CONTIGUOUS, "graph", BATCH),
            ("float32", CONTIGUOUS, "graph", BATCH),
            ("tf32", LAST, "graph", 128),
            ("float32", LAST, "graph", 128),
            ("bfloat16", LAST, "compiled", BATCH),  # takes minutes to compile
            ("bfloat16", LAST, "compiled", 128),
        ]
    for way in ways:
        precision, memory_format, mode, batch = way
        name = "channels_last" if memory_format is LAST else "contiguous"
        yield f"{precision}, {name}, {mode}, {batch}", partial(images_per_second, setting, *way)


def images_per_second(
    setting: Setting, precision: str, memory_format: torch.memory_format, mode: str, batch: int
) -> Iterator[Row]:
    """The images a second in training, and their share of the measured rate in bfloat16."""
    model = setting.runtime(precision, memory_format).prepare(
        init_model(partial(DenseNet121, setting.size), 40)
    )
    train, _ = setting.photographs
    rate = training_rate(setting, model, F.nll_loss, train, mode, batch)
    row: dict[str, Any] = {"images_per_second": rate, "seconds_for_50000": 50_000 / rate}
    machine = read_json(setting.out / "machine.json")
    if "bfloat16_operations_per_second" in machine:
        row["share_of_bfloat16_rate"] = (
            rate * machine["operations_per_image"] / machine["bfloat16_operations_per_second"]
        )
    yield row


def training_rate(
    setting: Setting,
    model: nn.Module,
    loss_function: LossFunction,
    images: Samples,
    mode: str,
    batch: int,
) -> float:
    """The images that a training processes per second. The first updates do not count.

    The training uses `images` as often as necessary.
    """
    warm_up, most = (1, 2) if setting.small else (WARM_UP, UPDATES)
    chosen = torch.arange((warm_up + most) * batch, device=setting.device) % len(images)
    samples = Samples(images.images[chosen], images.labels[chosen])
    epoch, state = epoch_in(mode), EpochState.sequential(samples, batch)
    optimizer = Adam(model.parameters(), RATE)
    began, seconds = time.perf_counter(), 0.0
    for _ in epoch(model, loss_function, optimizer, samples, state):
        if state.batch_index == warm_up:
            setting.synchronize()
            began = time.perf_counter()
        elif state.batch_index % 10 == 0 or state.is_complete:
            setting.synchronize()
            seconds = time.perf_counter() - began
            if seconds > SECONDS:
                break
    return (state.batch_index - warm_up) * batch / seconds


def epoch_in(mode: str) -> Callable[..., Iterator[None]]:
    """The training loop of a mode, which is explained in `speed`."""
    return train_one_epoch if mode == "eager" else GraphedEpoch(compile=mode == "compiled")


def fastest_mode(setting: Setting) -> str:
    """The mode that `speed` found fastest in bfloat16 for the lecture's batches.

    Without such a measurement it is a CUDA graph if there is a GPU. On an H200, that was three
    times as fast as eager updates.
    """
    file = setting.out / "speed.json"
    found = read_json(file) if file.exists() else {}
    rates = {
        mode: found[way]["rows"][0]["images_per_second"]
        for mode in ("eager", "graph", "compiled")
        if (way := f"bfloat16, channels_last, {mode}, {BATCH}") in found
        and found[way]["ended"] == "complete"
    }
    return max(rates, key=lambda mode: rates[mode], default=usual_mode(setting))


def usual_mode(setting: Setting) -> str:
    """A CUDA graph, or eager updates without a GPU."""
    return "graph" if setting.device.type == "cuda" else "eager"


def bfloat16(setting: Setting) -> Units:
    """Lecture 40's training."""
    yield lecture_training(setting, "bfloat16", densenet(setting), EPOCHS)


def seeds(setting: Setting) -> Units:
    """Lecture 40's training from further seeds."""
    for seed in SEEDS[1:2] if setting.small else SEEDS[1:]:
        yield lecture_training(setting, "seeds", densenet(setting), EPOCHS, seed)


def resnet(setting: Setting) -> Units:
    """ResNet-18, trained as DenseNet is (claim 40-2)."""
    yield lecture_training(setting, "resnet", partial(ResNet18, setting.size), EPOCHS)


def torchvision(setting: Setting) -> Units:
    """Lecture 40's training from torchvision's initial weights of today."""
    yield lecture_training(setting, "torchvision", densenet(setting, "torchvision"), 4)


def gray_photographs(setting: Setting) -> Units:
    """Lecture 40's training on gray images, a control for claim 40-5."""
    yield lecture_training(setting, "gray", densenet(setting), 3, images=gray)


def float32(setting: Setting) -> Units:
    """One epoch of lecture 40's training."""
    mode = usual_mode(setting)
    model_fn = densenet(setting)
    yield lecture_training(setting, "float32", model_fn, 1, precision="float32", mode=mode)


def densenet(
    setting: Setting, initialisation: Literal["lecture", "torchvision"] = "lecture"
) -> Callable[[], DenseNet121]:
    """The constructor of DenseNet-121 for the size of the photographs."""
    return partial(DenseNet121, setting.size, initialisation=initialisation)


def lecture_training(
    setting: Setting,
    step: str,
    model_fn: Callable[[], DenseNet121 | ResNet18],
    epochs: int,
    seed: int = SEEDS[0],
    **options: Any,
) -> tuple[str, Callable[[], Iterator[Row]]]:
    """A unit of `step`: lecture 40's training of a model; see `train_photographs`."""
    epochs = min(epochs, 2) if setting.small else epochs
    return f"seed {seed}", partial(
        train_photographs, setting, step, model_fn, epochs, seed, **options
    )


def gray(samples: Samples) -> Samples:
    """The photographs in gray: each of the three channels is the mean of red, green and blue."""
    mean = samples.images.float().mean(-1, keepdim=True).round().to(torch.uint8)
    return Samples(mean.expand_as(samples.images).contiguous(), samples.labels)


def train_photographs(
    setting: Setting,
    step: str,
    model_fn: Callable[[], DenseNet121 | ResNet18],
    epochs: int,
    seed: int,
    *,
    precision: str = "bfloat16",
    mode: str | None = None,
    images: Callable[[Samples], Samples] = lambda samples: samples,
) -> Iterator[Row]:
    """Lecture 40's training of a model; one row per epoch.

    Without a `mode` it takes the fastest one. The model sees what `images` makes of CIFAR-10's
    photographs. `train_loss_after` and `train_accuracy_after` are those of the first 10,000
    training images after the epoch, computed as for the test images. `lost` and `gained` count the
    test images whose answer was right after the epoch before and is wrong now, and the reverse. For
    DenseNet-121 the first kernels before and after the training are written, too.
    """
    train, test = (images(samples) for samples in setting.photographs)
    first = Samples(train.images[: len(test)], train.labels[: len(test)])
    model = setting.runtime(precision).prepare(init_model(model_fn, seed))
    kernels = model.conv0 if isinstance(model, DenseNet121) else None
    before = None if kernels is None else kernels.detach().cpu().numpy().copy()
    mode = mode or fastest_mode(setting)
    epoch, seconds = epoch_in(mode), 0.0

    def timed(*arguments: Any, **options: Any) -> Iterator[None]:
        nonlocal seconds
        began = time.perf_counter()
        yield from epoch(*arguments, **options)
        setting.synchronize()
        seconds = time.perf_counter() - began

    began, was_correct = time.perf_counter(), None
    for result in fit(
        model, F.nll_loss, Adam(model.parameters(), RATE), train, test, epochs=epochs,
        batch_size=BATCH, generator=torch.Generator().manual_seed(seed), one_epoch=timed,
    ):  # fmt: skip
        (row,) = curve_rows([result], lecture_scale=True)
        times = {"training_seconds": seconds, "seconds": time.perf_counter() - began}
        state = evaluation_state(first)
        list(evaluate_batches(model, F.nll_loss, first, state))
        after = Evaluation.from_state(state, first)
        correct = result.test.correct
        was_correct = correct if was_correct is None else was_correct
        changed = {
            "lost": int((was_correct & ~correct).sum()),
            "gained": int((~was_correct & correct).sum()),
        }
        was_correct = correct
        if kernels is not None and before is not None:
            # (2, 64, 7, 7, 3), as the stage `densenet` writes them
            pair = np.stack([before, kernels.detach().cpu().numpy()])
            file = setting.out / f"{step}_conv0_seed{seed}.npy"
            write_npy(file, pair.transpose(0, 1, 3, 4, 2))
        yield {
            "mode": mode, **row, **times, **changed,
            "train_loss_after": after.loss, "train_accuracy_after": after.accuracy,
        }  # fmt: skip
        began = time.perf_counter()


def memory(setting: Setting) -> Units:
    """The memory and the time of updates in float32, for each model (claim 40-6)."""
    for name, model_fn in MODELS.items():
        yield name, partial(cost_of_update, setting, name, model_fn)


def cost_of_update(
    setting: Setting, name: str, model_fn: Callable[[], nn.Module]
) -> Iterator[dict[str, Any]]:
    """The counted costs of one model and, on a GPU, the memory and the time of its updates.

    `parameter_memory` is what remains after an update: the parameters and Adam's two means.
    `activation_memory` is what a forward pass adds and the backward pass needs. `peak_memory` is
    the most that the GPU held at once. All are in bytes. `seconds_of_update` is a median.
    """
    size, device = setting.size, setting.device
    counted = cost(name, model_fn, torch.zeros(3, 3, size, size, device="meta"))
    row: dict[str, Any] = {**asdict(counted), "batch_size": BATCH}
    if device.type == "cuda":
        torch.cuda.empty_cache()
        model = setting.runtime("float32").prepare(model_fn())
        optimizer = Adam(model.parameters(), RATE)
        inputs = torch.rand(BATCH, 3, size, size, device=device)
        labels = torch.zeros(BATCH, dtype=torch.int64, device=device)
        seconds = []
        for _ in range(WARM_UP + 20):
            torch.cuda.reset_peak_memory_stats()
            row["parameter_memory"] = torch.cuda.memory_allocated()
            began = time.perf_counter()
            loss = F.cross_entropy(model(inputs), labels)
            row["activation_memory"] = torch.cuda.memory_allocated() - row["parameter_memory"]
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad()
            del loss
            torch.cuda.synchronize()
            seconds.append(time.perf_counter() - began)
        row["peak_memory"] = torch.cuda.max_memory_allocated()
        row["seconds_of_update"] = float(np.median(seconds[WARM_UP:]))
    yield row


def models(setting: Setting) -> Units:
    """The time of an update in float32, for each model in turns (claim 40-7).

    A CUDA graph launches all kernels of an update at once. With eager updates, a fast GPU would
    wait for the CPU, and for small kernels the time would be that of their launches.
    """
    for turn in range(1 if setting.small else TURNS):
        for name, model_fn in MODELS.items():
            yield f"turn {turn + 1}, {name}", partial(time_of_update, setting, model_fn)


def time_of_update(setting: Setting, model_fn: Callable[[], nn.Module]) -> Iterator[Row]:
    """The seconds of an update of one model with the lecture's batch size, on random images."""
    device = setting.device
    mode = "graph" if device.type == "cuda" else "eager"
    model = setting.runtime("float32").prepare(init_model(model_fn, 40))
    images = Samples(
        torch.rand(BATCH, 3, setting.size, setting.size, device=device),
        torch.zeros(BATCH, dtype=torch.int64, device=device),
    )
    rate = training_rate(setting, model, F.cross_entropy, images, mode, BATCH)
    yield {"mode": mode, "seconds_of_update": BATCH / rate}


def rules(setting: Setting) -> Units:
    """The seconds of an epoch of lecture 24's rules in the lecture's own loop, in turns."""
    for turn in range(1 if setting.small else 5):
        for rule in ("per_epoch", "per_batch", "per_sample"):
            yield f"turn {turn + 1}, {rule}", partial(lecture_epoch, setting, rule)


def lecture_epoch(setting: Setting, rule: str) -> Iterator[Row]:
    """The seconds of an epoch, or of a share of it for updates per sample."""
    data, device = setting.mnist, setting.device
    images = len(data.train_labels)
    updates = 100 if setting.small else 2000  # of the 60,000 of lecture 24c
    began = time.perf_counter()
    if rule == "per_sample":
        once_a_sample(data, updates, device=device)
    else:
        loop = once_an_epoch if rule == "per_epoch" else once_a_batch
        loop(data, device=device)
    setting.synchronize()
    seconds = time.perf_counter() - began
    share = updates / images if rule == "per_sample" else 1
    yield {"share_of_epoch": share, "seconds": seconds, "seconds_of_epoch": seconds / share}


def updates(setting: Setting) -> Units:
    """Lecture 24's per-epoch and per-batch rules on all images (claim 24-4).

    After 600 and 1,200 updates from three seeds, and after 6,000 from one.
    """
    images, optimizer_fn = len(setting.mnist.train_labels), partial(SGD, learning_rate=0.1)
    for seed, updates in ((24, 6000), (25, 1200), (26, 1200)):
        train = partial(train_digits, setting, optimizer_fn, seed)
        yield f"per_batch, seed {seed}", partial(train, 10, 100)
        yield f"per_epoch, seed {seed}", partial(train, updates, images)


def sgd(setting: Setting) -> Units:
    """Lecture 25: a thousand epochs with SGD, and ten with Adam, on all images (claim 25-2)."""
    mode = usual_mode(setting)
    for name, optimizer_fn, epochs in (("Adam", Adam, 10), ("SGD", SGD, 1000)):
        train = partial(train_digits, setting, partial(optimizer_fn, learning_rate=RATE), 25)
        yield f"{name}, seed 25", partial(train, epochs, 100, epoch_in(mode))


def train_digits(
    setting: Setting,
    optimizer_fn: Callable[..., Any],
    seed: int,
    epochs: int,
    batch_size: int,
    one_epoch: Callable[..., Iterator[None]] = train_one_epoch,
) -> Iterator[Row]:
    """The curve of lectures 24 and 25's network: its first ten epochs, and every hundredth."""
    train, test = setting.digits()
    model = setting.runtime("float32").prepare(init_model(MLP, seed))
    for result in fit(
        model, F.cross_entropy, optimizer_fn(model.parameters()), train, test,
        epochs=2 if setting.small else epochs, batch_size=batch_size,
        # One batch has the same gradient in any order.
        shuffle=batch_size < len(train), generator=torch.Generator().manual_seed(seed),
        one_epoch=one_epoch,
    ):  # fmt: skip
        if result.epoch <= 10 or result.epoch % 100 == 0:
            (row,) = curve_rows([result], lecture_scale=False)
            yield row
