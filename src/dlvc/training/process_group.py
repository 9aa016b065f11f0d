"""The processes that train one model together, each on its share of every batch.

The gradient of a batch's mean loss is a sum over its samples, so each process goes backward from
its share of that loss, and the sum over all is the gradient that one process alone would have, but
for the order of summation: a batch is the lecture's batch, however many processes there are.

Plain `torch.distributed`, one `all_reduce` of all gradients after each batch. torch's
`DistributedDataParallel` sends them in buckets while it still goes backward, which hides most of
the time on a slow network. But its first batch has other buckets than those that follow, so a
training that is taken up again would sum up in another order than one that was never left. And a
model would have another name for each weight.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from dvcview.errors import first_line

PATIENCE = timedelta(minutes=10)  # that a process waits for the others, unless it sees them end


class PeerLostError(Exception):
    """Another of the processes has ended, and this one cannot go on without it."""


@dataclass(frozen=True)
class World:
    """This process among those that train together; by default, nobody else is there."""

    rank: int = 0
    size: int = 1

    @classmethod
    def join(cls, device_type: str) -> World:
        """Meet the others, where torch's launcher has started this process."""
        if not is_launched():
            return ALONE
        here = os.environ
        rank, size = int(here["RANK"]), int(here["WORLD_SIZE"])
        store = launchers_store(3 * PATIENCE)  # those of another machine may still be waiting
        # The launcher keeps its store when it starts all again. Left to itself, torch would look
        # there for the others' addresses, and now and then find those of before: both wait then.
        attempt = f"attempt {here['TORCHELASTIC_RESTART_COUNT']}"
        now = dist.PrefixStore(attempt, store)  # type: ignore[attr-defined]
        backend = "nccl" if device_type == "cuda" else "gloo"
        dist.init_process_group(backend, store=now, rank=rank, world_size=size, timeout=PATIENCE)
        return cls(rank, size)

    @property
    def is_first(self) -> bool:
        """Whether it is this process that writes, and talks to the user and to MLflow."""
        return self.rank == 0

    def share_of(self, batch: slice) -> slice:
        """The part of a batch that is for this process.

        >>> [World(rank, size=3).share_of(slice(10, 20)) for rank in range(3)]
        [slice(10, 13, None), slice(13, 16, None), slice(16, 20, None)]
        """
        samples = batch.stop - batch.start
        cuts = [batch.start + samples * rank // self.size for rank in (self.rank, self.rank + 1)]
        return slice(*cuts)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Make each tensor, in place, its sum over all processes: in one message."""
        if self.size == 1:
            return
        total = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with _all_there():
            dist.all_reduce(total)
        parts = torch.split(total, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def from_first(self, content: bytes) -> bytes:
        """What the first process has; the others' own is forgotten."""
        if self.size == 1:
            return content
        kept = [content]
        with _all_there():
            dist.broadcast_object_list(kept, src=0)
        return kept[0]


ALONE = World()


@contextmanager
def _all_there() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # all that torch says of a broken connection
        raise PeerLostError(first_line(error)) from None


def launchers_store(patience: timedelta) -> Any:
    """The store of the first machine's launcher, which all processes can reach."""
    here = os.environ
    address = here["MASTER_ADDR"], int(here["MASTER_PORT"])
    return dist.TCPStore(*address, timeout=patience)  # type: ignore[attr-defined]


def is_launched() -> bool:
    """Whether torch's launcher has started this process."""
    return dist.is_torchelastic_launched()


def world_size() -> int:
    """How many processes train together with this one, itself included."""
    return dist.get_world_size() if dist.is_initialized() else 1


def local_size() -> int:
    """How many of the processes are on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def local_rank() -> int:
    """This process's number among those on the same machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))
