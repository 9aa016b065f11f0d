"""A training epoch as a CUDA graph: the kernels of one update are recorded once and replayed.

DenseNet-121 starts about 3,000 kernels per update. With the lecture's batches of 32, Python and the
driver take longer to start them than the GPU to run them. A replayed graph is started at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from dlvc.training.evaluation import LossFunction
from dlvc.training.loop import train_one_epoch
from dlvc.training.optimizers import Optimizer
from dlvc.training.process_group import SINGLE_PROCESS, ProcessGroup
from dlvc.training.samples import EpochState, Samples

WARM_UP = 3  # updates outside of the graph, in which libraries choose and allocate


@dataclass
class GraphedEpoch:
    """`dlvc.training.loop.train_one_epoch` for one model, whose full batches replay one CUDA graph.

    The warm-up updates are real: they are the first of the training. The last batch of an epoch, if
    it is smaller, is computed without the graph.
    """

    _graph: torch.cuda.CUDAGraph | None = None
    _chosen: Tensor = field(default_factory=lambda: torch.empty(0))
    _loss: Tensor = field(default_factory=lambda: torch.empty(0))
    _outputs: Tensor = field(default_factory=lambda: torch.empty(0))

    def __call__(
        self,
        model: nn.Module,
        loss_function: LossFunction,
        optimizer: Optimizer,
        samples: Samples,
        training: EpochState,
        *,
        accumulate: bool = False,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> Iterator[None]:
        """Train the model on the remaining batches of `training`; yields after each batch.

        Raises:
            ValueError: the samples are not on a GPU, the gradients of all batches are accumulated,
                or several processes train together.
        """
        if samples.labels.device.type != "cuda" or accumulate or group.size > 1:
            raise ValueError("a CUDA graph is for one GPU with one update per batch")
        eager = train_one_epoch(model, loss_function, optimizer, samples, training)
        if self._graph is None:
            for _ in range(WARM_UP):
                next(eager)
                yield
            self._record(model, loss_function, optimizer, samples, training.batch_size)
        assert self._graph is not None  # noqa: S101
        model.train()
        while training.batch_index < len(training.indices) // training.batch_size:
            batch = training.batch(training.batch_index)
            self._chosen.copy_(training.indices[batch])
            self._graph.replay()
            training.update(self._loss, self._outputs, batch)
            yield
        yield from train_one_epoch(model, loss_function, optimizer, samples, training)

    def _record(
        self,
        model: nn.Module,
        loss_function: LossFunction,
        optimizer: Optimizer,
        samples: Samples,
        batch_size: int,
    ) -> None:
        """Record one update; recording computes nothing."""
        self._chosen = torch.zeros(batch_size, dtype=torch.int64, device=samples.labels.device)
        self._graph = torch.cuda.CUDAGraph()
        optimizer.zero_grad()
        with torch.cuda.graph(self._graph):
            self._outputs = model(samples.images.index_select(0, self._chosen))
            labels = samples.labels.index_select(0, self._chosen)
            self._loss = loss_function(self._outputs, labels)
            self._loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        # The gradients now belong to the graph, and an update without it must not add to them.
        optimizer.zero_grad()
