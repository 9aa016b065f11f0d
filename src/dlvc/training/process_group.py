"""The processes that train one model together, each on its shard of every batch.

The gradient of a batch's mean loss is a sum over its samples. Each process computes the gradient of
its shard's part of that loss, and the sum over all processes is the gradient that a single process
would compute, except for the order of summation. The batch is the lecture's batch, however many
processes there are.

This is plain `torch.distributed`: one `all_reduce` of all gradients after each batch. torch's
`DistributedDataParallel` sends gradients in buckets during the backward pass, which hides most of
the time on a slow network. But the buckets of its first batch differ from those of later batches,
so a resumed training would sum in another order than an uninterrupted one. It also changes the name
of each weight.
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

TIMEOUT = timedelta(minutes=10)  # for other processes whose end this one does not notice


class PeerLostError(Exception):
    """Another process has ended, and this process cannot continue without it."""


@dataclass(frozen=True)
class ProcessGroup:
    """The rank of this process among `size` processes; by default it is the only one."""

    rank: int = 0
    size: int = 1

    @classmethod
    def init_process_group(cls, device_type: str) -> ProcessGroup:
        """Join the other processes, if torch's launcher has started this one."""
        if not is_launched():
            return SINGLE_PROCESS
        variables = os.environ
        rank, size = int(variables["RANK"]), int(variables["WORLD_SIZE"])
        store = launcher_store(3 * TIMEOUT)  # processes of another machine may still be waiting
        # The launcher keeps its store when it restarts the processes. Without a prefix torch would
        # look up addresses there, sometimes find those of ended processes, and wait for ever.
        attempt = f"attempt {variables['TORCHELASTIC_RESTART_COUNT']}"
        own = dist.PrefixStore(attempt, store)  # type: ignore[attr-defined]
        backend = "nccl" if device_type == "cuda" else "gloo"
        dist.init_process_group(backend, store=own, rank=rank, world_size=size, timeout=TIMEOUT)
        return cls(rank, size)

    @property
    def is_main_process(self) -> bool:
        """Whether this process writes results, logs to MLflow and prints."""
        return self.rank == 0

    def shard(self, batch: slice) -> slice:
        """The part of a batch that this process computes.

        >>> [ProcessGroup(rank, size=3).shard(slice(10, 20)) for rank in range(3)]
        [slice(10, 13, None), slice(13, 16, None), slice(16, 20, None)]
        """
        samples = batch.stop - batch.start
        cuts = [batch.start + samples * rank // self.size for rank in (self.rank, self.rank + 1)]
        return slice(*cuts)

    def all_reduce(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor, in place, by its sum over all processes; sends one message."""
        if self.size == 1:
            return
        total = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with _peers_required():
            dist.all_reduce(total)
        parts = torch.split(total, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def broadcast(self, content: bytes) -> bytes:
        """Return the `content` of the main process, in all processes."""
        if self.size == 1:
            return content
        contents = [content]
        with _peers_required():
            dist.broadcast_object_list(contents, src=0)
        return contents[0]


SINGLE_PROCESS = ProcessGroup()


@contextmanager
def _peers_required() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # what torch raises when a connection is broken
        raise PeerLostError(first_line(error)) from None


def launcher_store(timeout: timedelta) -> Any:
    """The key-value store of the first machine's launcher, which all processes can reach."""
    address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    return dist.TCPStore(*address, timeout=timeout)  # type: ignore[attr-defined]


def is_launched() -> bool:
    """Whether torch's launcher has started this process."""
    return dist.is_torchelastic_launched()


def world_size() -> int:
    """The number of processes that train together, including this one."""
    return dist.get_world_size() if dist.is_initialized() else 1


def local_world_size() -> int:
    """The number of these processes on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def local_rank() -> int:
    """The rank of this process among those on this machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))
