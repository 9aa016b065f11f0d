"""Several processes train one model together: what they learn is what one of them would."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from dlvc.models.densenet import DenseNet121
from dlvc.models.lenet import LeNet
from dlvc.models.preprocessing import unit_interval
from dlvc.training.batch_norm import synchronize_batch_norm
from dlvc.training.initialization import init_model
from dlvc.training.loop import fit
from dlvc.training.optimizers import SGD, Adam
from dlvc.training.process_group import SINGLE_PROCESS, ProcessGroup
from dlvc.training.samples import Samples


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 70))
def test_the_shares_of_a_batch_are_the_batch_and_as_even_as_can_be(start, length, size):
    shares = [ProcessGroup(rank, size).shard(slice(start, start + length)) for rank in range(size)]
    ends = [start, *(share.stop for share in shares)]
    assert [share.start for share in shares] == ends[:-1]
    assert ends[-1] == start + length
    lengths = [share.stop - share.start for share in shares]
    assert max(lengths) - min(lengths) <= 1


class Normalising(nn.Module):
    """Small, with batch normalisation after convolutions without a bias, as DenseNet has them."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 4, 5, stride=3, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
            nn.Conv2d(4, 4, 3, stride=2, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
            nn.Linear(36, 10), nn.LogSoftmax(dim=1),
        )  # fmt: skip

    def forward(self, images):
        return self.net(images[:, None].float() / 255)


class DenseNet(DenseNet121):
    """In float64: in float32 its first gradient at 32 px already hangs by 0.5 % on the order of
    summation, whether there are several processes or another memory format."""

    def __init__(self) -> None:
        super().__init__(image_size=32)
        self.double()

    def forward(self, photos):
        return F.log_softmax(self.net(unit_interval(photos).permute(0, 3, 1, 2).double()), dim=1)


def descend(weights) -> SGD:
    return SGD(weights, 0.001)


def adam(weights) -> Adam:
    return Adam(weights, 0.001)


# The model, its optimizer, the images' number and shape, the batch, whether gradients are summed.
# 45 by 11: the last batch has one image, which is not enough for all.
TRAININGS = {
    "LeNet": (LeNet, adam, 45, (28, 28), 11, False),
    "summed up": (LeNet, adam, 45, (28, 28), 11, True),
    "batch norm": (Normalising, adam, 45, (28, 28), 11, False),
    "batch norm, summed up": (Normalising, adam, 45, (28, 28), 11, True),
    "DenseNet": (DenseNet, descend, 25, (32, 32, 3), 13, False),
}


def some(number: int, shape: tuple[int, ...], seed: int) -> Samples:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (number, *shape), dtype=torch.uint8, generator=generator)
    return Samples(images, torch.randint(10, (number,), generator=generator))


def learn(group: ProcessGroup, kind: str) -> dict:
    """Two epochs of a training."""
    torch.set_num_threads(1)
    build, optimizer, number, shape, batch_size, accumulate = TRAININGS[kind]
    model = init_model(build, seed=3)
    if group.size > 1:
        synchronize_batch_norm(model, group)
    train, test = some(number, shape, 1), some(number // 2, shape, 2)
    order = torch.Generator().manual_seed(5)
    epochs = fit(
        model, F.nll_loss, optimizer(model.parameters()), train, test, epochs=2,
        batch_size=batch_size, generator=order, accumulate=accumulate, group=group,
    )  # fmt: skip
    curve = list(epochs)
    numbers = [
        [epoch.train_loss, epoch.train_accuracy, epoch.test.loss, epoch.test.accuracy]
        for epoch in curve
    ]
    return {
        "weights": model.state_dict(),
        "curve": torch.tensor(numbers, dtype=torch.float64),
        "confusion": torch.from_numpy(curve[-1].test.confusion),
    }


def learn_all(group: ProcessGroup) -> dict:
    return {kind: learn(group, kind) for kind in TRAININGS}


def join_and_learn(rank: int, size: int, folder: Path) -> None:
    store = torch.distributed.FileStore(str(folder / "store"), size)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=size)
    torch.save(learn_all(ProcessGroup(rank, size)), folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


def together(size: int, folder: Path) -> list[dict]:
    """What each of several real processes has at the end."""
    folder.mkdir()
    torch.multiprocessing.spawn(join_and_learn, (size, folder), nprocs=size)
    return [torch.load(folder / f"{rank}.pt") for rank in range(size)]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """By the number of processes, what each of them has learnt."""
    folder = tmp_path_factory.mktemp("processes")
    return {size: together(size, folder / str(size)) for size in (2, 3)}


@pytest.mark.parametrize("kind", TRAININGS)
def test_what_they_learn_is_what_one_process_learns(kind, found):
    alone = learn(SINGLE_PROCESS, kind)
    for one in (*found[2], *found[3]):
        learnt = one[kind]
        torch.testing.assert_close(learnt["weights"], alone["weights"], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(learnt["curve"], alone["curve"], rtol=1e-5, atol=1e-6)
        assert torch.equal(learnt["confusion"], alone["confusion"])


def test_all_have_the_same_bytes_and_have_them_again(found, tmp_path):
    first, *others = (*found[3], *together(3, tmp_path / "again"))
    for other in others:
        for training, learnt in first.items():
            assert torch.equal(learnt["curve"], other[training]["curve"])
            for name, value in learnt["weights"].items():
                assert torch.equal(value, other[training]["weights"][name])


def test_one_process_normalises_as_torch_does():
    """By the written-out backward pass, in a group of one."""
    torch.manual_seed(1)
    ours, theirs = nn.BatchNorm2d(3).double(), nn.BatchNorm2d(3).double()
    synchronize_batch_norm(ours, SINGLE_PROCESS)
    with torch.no_grad():
        for layer in (ours, theirs):
            layer.weight.copy_(torch.tensor([1.0, -2.0, 0.5]))
            layer.bias.copy_(torch.tensor([0.1, 0.2, 0.3]))
    images = torch.randn(5, 3, 4, 4, dtype=torch.float64) * 3 + 100
    x, y = images.clone().requires_grad_(), images.clone().requires_grad_()
    weights = torch.randn(5, 3, 4, 4, dtype=torch.float64)
    (ours(x) * weights).sum().backward()
    (theirs(y) * weights).sum().backward()
    torch.testing.assert_close(x.grad, y.grad)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    ours.eval(), theirs.eval()
    torch.testing.assert_close(ours(images), theirs(images))
