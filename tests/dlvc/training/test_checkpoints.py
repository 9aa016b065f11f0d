"""A training that was left at any point and taken up again ends with the same bits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dlvc.models.mlp import per_sample
from dlvc.models.mlp.network import MLP
from dlvc.training import checkpoints
from dlvc.training.checkpoint_paths import delete_complete
from dlvc.training.checkpoints import Checkpoint
from dlvc.training.initialization import init_model
from dlvc.training.loop import fit, train_one_epoch
from dlvc.training.optimizers import SGD, Adam
from dlvc.training.samples import Samples
from dlvc.training.weights import write_weights
from dvcview.errors import UserError
from dvcview.files.checksum import md5_of

N, EPOCHS = 22, 3
PARAMS = {"lenet.epochs": EPOCHS}


class Small(nn.Module):
    """A few hundred weights: a checkpoint is written at every point."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(784, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(images.flatten(1).float() / 255)


class Normalising(nn.Module):
    """Running statistics, and the layout that convolutions like."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 5, stride=4).to(memory_format=torch.channels_last)
        self.norm = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4 * 6 * 6, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.norm(self.conv(images.unsqueeze(1).float() / 255))
        return self.fc(maps.flatten(1))


# model, optimizer, batch size, accumulate, one epoch
TRAININGS = {
    "per epoch": (Small, lambda w: SGD(w, 0.1), 5, True, train_one_epoch),
    "per batch": (Small, lambda w: SGD(w, 0.1), 5, False, train_one_epoch),
    "per sample": (MLP, lambda w: SGD(w, 0.01), 1, False, per_sample.train_one_epoch),
    "momentum": (Small, lambda w: SGD(w, 0.01, 0.9), 5, False, train_one_epoch),
    "adam": (Small, lambda w: Adam(w, 1e-3), 5, False, train_one_epoch),
    "batch norm": (Normalising, lambda w: Adam(w, 1e-3), 5, False, train_one_epoch),
}


class Killed(BaseException):
    """Nothing in the loop catches it, as nothing catches kill -9."""


class Trainer:
    """One kind of training, in a process of its own as it were: nothing is shared but the disk."""

    def __init__(self, kind: str, samples: Samples, params=PARAMS, seed: int = 1) -> None:
        build, optimizer, self.batch_size, self.accumulate, self.one_epoch = TRAININGS[kind]
        self.model = init_model(build, seed)
        self.optimizer = optimizer(self.model.parameters())
        self.generator = torch.Generator().manual_seed(seed)
        self.samples, self.params = samples, params
        self.points = 0  # at which it could be left
        self.batches = 0  # that it has passed itself

    def run(self, leave_at: int | None = None, *, checkpoint: bool = True):
        """The curve, unless it is killed at a point at which it can be left."""

        def one_epoch(*arguments, **options):
            for _ in self.one_epoch(*arguments, **options):
                self.batches += 1
                yield

        with Checkpoint("lenet", self.params) as kept:
            write = kept._on_batch_end

            def count(state) -> None:
                write(state)
                self.points += 1
                if self.points == leave_at:
                    raise Killed

            kept._on_batch_end = count
            return list(
                fit(
                    self.model,
                    F.cross_entropy,
                    self.optimizer,
                    self.samples,
                    self.samples,
                    epochs=EPOCHS,
                    batch_size=self.batch_size,
                    generator=self.generator,
                    accumulate=self.accumulate,
                    one_epoch=one_epoch,
                    checkpoint=kept if checkpoint else None,
                )
            )

    def bits(self) -> list[bytes]:
        tensors = [*self.model.state_dict().values(), *chain(*self.optimizer.state_dict().values())]
        return [t.detach().numpy().tobytes() for t in [*tensors, self.generator.get_state()]]


def as_text(curve) -> str:
    return repr([(epoch, epoch.batch_losses.tolist()) for epoch in curve])


@pytest.fixture
def samples() -> Samples:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (N, 28, 28), generator=generator, dtype=torch.uint8)
    return Samples(images, torch.arange(N) % 10)


@pytest.fixture(autouse=True)
def everywhere(tmp_path, monkeypatch):
    """A folder of its own, and a checkpoint at every point."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(checkpoints, "AFTER_AN_EPOCH", 0)
    monkeypatch.setattr(checkpoints, "WITHIN_AN_EPOCH", 0)
    monkeypatch.setattr(checkpoints, "SHARE", 0)
    monkeypatch.setattr(per_sample, "AT_A_TIME", 5)
    monkeypatch.setattr("dlvc.training.evaluation.EVALUATION_BATCH_SIZE", 8)
    monkeypatch.setattr(checkpoints, "_source", lambda _module: b"")  # somebody may be editing
    # Thousands of checkpoints: what survives a power cut is not what is tested here.
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


def files(suffix: str = ".pt") -> list[Path]:
    return sorted(Path(".dlvc/checkpoints").glob(f"*{suffix}"))


@pytest.mark.parametrize("kind", TRAININGS)
def test_left_at_any_point_it_ends_with_the_same_bits_and_the_same_curve(samples, kind):
    whole = Trainer(kind, samples)
    curve = whole.run(checkpoint=False)
    every = Trainer(kind, samples)
    every.run()
    files(".complete.pt")[0].unlink()
    step = 9 if kind == "per sample" else 2  # its model is large
    for point in range(1, every.points + 1, step):
        with pytest.raises(Killed):
            Trainer(kind, samples).run(leave_at=point)
        again = Trainer(kind, samples)
        assert as_text(again.run()) == as_text(curve), point
        assert again.bits() == whole.bits(), point
        assert again.points == every.points - point  # what was done is not done again
        files(".complete.pt")[0].unlink()


@pytest.mark.parametrize("kind", ["per batch", "batch norm"])
def test_left_again_and_again_it_goes_on_each_time(samples, kind):
    whole = Trainer(kind, samples)
    curve = whole.run(checkpoint=False)
    last, times = None, 0
    while last is None:
        training = Trainer(kind, samples)
        try:
            last = training.run(leave_at=2)
        except Killed:
            times += 1
    assert times > 10
    assert as_text(last) == as_text(curve)
    assert training.bits() == whole.bits()


def other_pixel(samples: Samples) -> Samples:
    images = samples.images.clone()
    images[3, 4, 5] ^= 1
    return replace(samples, images=images)


def other_label(samples: Samples) -> Samples:
    labels = samples.labels.clone()
    labels[3] = 9
    return replace(samples, labels=labels)


@pytest.mark.parametrize("change", ["pixel", "label", "params", "seed", "kind", "threads", "code"])
def test_the_checkpoint_of_another_state_is_never_used(samples, change, monkeypatch):
    with pytest.raises(Killed):
        Trainer("per batch", samples).run(leave_at=7)
    threads = torch.get_num_threads()
    other = {
        "pixel": lambda: Trainer("per batch", other_pixel(samples)),
        "label": lambda: Trainer("per batch", other_label(samples)),
        "params": lambda: Trainer("per batch", samples, {"lenet.epochs": EPOCHS + 1}),
        "seed": lambda: Trainer("per batch", samples, seed=2),
        "kind": lambda: Trainer("batch norm", samples),
    }.get(change, lambda: Trainer("per batch", samples))()
    if change == "threads":
        torch.set_num_threads(threads + 1)
    if change == "code":
        monkeypatch.setattr(checkpoints, "_source", lambda module: module.__name__.encode())
    try:
        other.run()
    finally:
        torch.set_num_threads(threads)
    assert other.batches == EPOCHS * 5


@pytest.mark.parametrize("where", [0, 31, 32, 1000, -1])
def test_a_flipped_bit_is_noticed_and_the_training_begins_anew(samples, where, capsys):
    whole = Trainer("adam", samples)
    whole.run(checkpoint=False)
    with pytest.raises(Killed):
        Trainer("adam", samples).run(leave_at=9)
    (path,) = files()
    content = bytearray(path.read_bytes())
    content[where] ^= 1
    path.write_bytes(content)
    capsys.readouterr()
    again = Trainer("adam", samples)
    again.run()
    assert "damaged and not used" in capsys.readouterr().err
    assert again.batches == EPOCHS * 5
    assert again.bits() == whole.bits()


def test_a_file_that_ends_too_early_is_a_damaged_one(samples):
    with pytest.raises(Killed):
        Trainer("adam", samples).run(leave_at=9)
    (path,) = files()
    for length in (0, 5, 32, 500):
        path.write_bytes(path.read_bytes()[:length])
        with pytest.raises(Killed):
            Trainer("adam", samples).run(leave_at=1)


def test_what_was_learned_is_not_learned_again_until_dvc_knows_it(samples):
    """DVC writes dvc.lock after the stage has ended: a kill in between must not cost the work."""
    first = Trainer("adam", samples)
    first.run()
    again = Trainer("adam", samples)
    again.run()
    assert again.batches == 0
    assert again.bits() == first.bits()

    write_weights(Path("weights.safetensors"), first.model.state_dict())
    Path("dvc.lock").write_text(f"outs: [{{md5: {md5_of(Path('weights.safetensors'))}}}]")
    forced = Trainer("adam", samples)  # dvc repro --force
    forced.run()
    assert forced.batches == EPOCHS * 5
    assert forced.bits() == first.bits()
    delete_complete()
    assert files() == []


def test_a_stage_that_fails_while_it_writes_keeps_its_checkpoint(samples):
    training = Trainer("adam", samples)

    def train_and_fail() -> None:
        with Checkpoint("lenet", PARAMS) as kept:
            list(
                fit(
                    training.model, F.cross_entropy, training.optimizer, samples, samples,
                    epochs=EPOCHS, batch_size=5, generator=training.generator, checkpoint=kept,
                )
            )  # fmt: skip
            raise UserError("no space left")

    with pytest.raises(UserError, match="no space left"):
        train_and_fail()
    again = Trainer("adam", samples)
    again.run()
    assert again.batches == 0


def test_only_the_newest_of_a_stage_are_kept(samples):
    for number in range(checkpoints.KEPT + 3):
        with pytest.raises(Killed):
            Trainer("per batch", samples, {"number": number}).run(leave_at=1)
    assert len(files()) == checkpoints.KEPT
    assert len(files(".lock")) == checkpoints.KEPT


def test_the_same_training_at_the_same_time_goes_without(samples, capsys):
    whole = Trainer("adam", samples)
    whole.run(checkpoint=False)
    first = Trainer("adam", samples)
    twin = Trainer("adam", samples)
    with Checkpoint("lenet", PARAMS) as kept:
        steps = fit(
            first.model, F.cross_entropy, first.optimizer, samples, samples,
            epochs=EPOCHS, batch_size=5, generator=first.generator, checkpoint=kept,
        )  # fmt: skip
        next(steps)
        twin.run()
        list(steps)
    assert "no checkpoints are saved" in capsys.readouterr().err
    assert twin.bits() == first.bits() == whole.bits()


def test_a_folder_that_cannot_be_written_to_costs_a_line_and_not_the_training(samples, capsys):
    Path(".dlvc").write_text("a file in the way")
    training = Trainer("adam", samples)
    assert len(training.run()) == EPOCHS
    assert capsys.readouterr().err.count("no checkpoints are saved") == 1


def test_a_disk_that_fills_up_costs_a_line_and_not_the_training(samples, capsys):
    training = Trainer("adam", samples)
    training.run(checkpoint=False)
    with Checkpoint("lenet", PARAMS) as kept:
        again = Trainer("adam", samples)
        steps = fit(
            again.model, F.cross_entropy, again.optimizer, samples, samples,
            epochs=EPOCHS, batch_size=5, generator=again.generator, checkpoint=kept,
        )  # fmt: skip
        next(steps)
        (path,) = files()
        good = path.read_bytes()
        path.unlink()
        path.mkdir()  # what is in the way of a rename
        list(steps)
        path.rmdir()
    assert "no checkpoint was saved" in capsys.readouterr().err
    assert again.bits() == training.bits()
    assert len(good) > 10_000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_at_the_next_point_after_a_checkpoint(samples, number, capsys, monkeypatch):
    monkeypatch.setattr(checkpoints, "AFTER_AN_EPOCH", 1000)
    monkeypatch.setattr(checkpoints, "WITHIN_AN_EPOCH", 1000)
    monkeypatch.setattr(checkpoints, "TO_STOP", 1000)  # its end would be that of the tests
    whole = Trainer("adam", samples)
    curve = whole.run(checkpoint=False)
    before = signal.signal(number, signal.default_int_handler)
    training = Trainer("adam", samples)
    passed = training.one_epoch

    def one_epoch(*arguments, **options):
        for done, _ in enumerate(passed(*arguments, **options)):
            if done == 2:
                os.kill(os.getpid(), number)
            yield

    training.one_epoch = one_epoch
    expected = KeyboardInterrupt if number == signal.SIGINT else SystemExit
    try:
        with pytest.raises(expected):
            training.run()
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)
    assert "stopped in epoch 1, after batch 3 of 5; the same" in capsys.readouterr().err
    again = Trainer("adam", samples)
    assert as_text(again.run()) == as_text(curve)
    assert again.batches == EPOCHS * 5 - 3
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_a_batch_that_takes_too_long_is_not_waited_for(tmp_path):
    """The last checkpoint stays, and the process ends as the signal asks."""
    script = """
import os, signal, time, torch
from pathlib import Path
from torch.nn import functional as F
from dvcview.console import run_command
from dlvc.training import checkpoints
from dlvc.training.checkpoints import Checkpoint
from dlvc.training.loop import fit
from dlvc.training.optimizers import SGD
from dlvc.training.samples import Samples
from dlvc.models.mlp.network import MLP
checkpoints.WITHIN_AN_EPOCH = checkpoints.SHARE = 0
model = MLP()
samples = Samples(torch.zeros(4, 28, 28, dtype=torch.uint8), torch.arange(4))
calls = []
def slow(outputs, labels):
    calls.append(1)
    if len(calls) == 2:
        print('asleep', flush=True)
        time.sleep(60)
    return F.cross_entropy(outputs, labels)
def main():
    with Checkpoint('lenet', {}) as kept:
        list(fit(model, slow, SGD(model.parameters(), 0.1), samples, samples, epochs=1,
                 batch_size=1, generator=torch.Generator().manual_seed(1), checkpoint=kept))
run_command(main)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(checkpoints.__file__).parents[2])},
    )  # fmt: skip
    assert process.stdout.readline() == "asleep\n"
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143
    assert said == "stopped; the same command resumes from the last checkpoint\n"
    assert len(files()) == 1


def tensors_in(value):
    """All tensors in nested dictionaries and lists."""
    if isinstance(value, torch.Tensor):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [tensor for one in inner for tensor in tensors_in(one)]


def test_the_state_dict_has_every_tensor_of_an_optimizer(samples):
    """Every tensor among its attributes, except the parameters."""
    for kind in TRAININGS:
        training = Trainer(kind, samples)
        with pytest.raises(Killed):
            training.run(leave_at=8)
        optimizer = training.optimizer
        own = {t.data_ptr() for t in tensors_in(vars(optimizer))}
        own -= {w.data_ptr() for w in optimizer.parameters}
        assert own == {t.data_ptr() for t in tensors_in(optimizer.state_dict())}
        assert bool(own) == (kind in {"momentum", "adam", "batch norm"}), kind
    assert np.array_equal(samples.labels, torch.arange(N) % 10)


def test_complete_checkpoints_are_deleted_and_others_kept():
    folder = Path(".dlvc/checkpoints")
    folder.mkdir(parents=True)
    names = ["lenet-0a.complete.pt", "lenet-0a.lock", "densenet-0b.pt", "densenet-0b.lock"]
    for name in names:
        (folder / name).touch()
    delete_complete()
    assert sorted(file.name for file in folder.iterdir()) == sorted(names[2:])
