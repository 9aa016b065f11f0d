"""A training epoch as a CUDA graph: the kernels of one update are recorded once and replayed.

DenseNet-121 starts about 3,000 kernels per update. With the lecture's batches of 32, Python and the
driver take longer to start them than the GPU to run them. A replayed graph is started at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

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
    it is smaller, is computed without the graph. With `compile`, the graph records the kernels that
    torch's compiler makes for a full batch; all else is computed with torch's own kernels.
    """

    compile: bool = False
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
        if self._graph is None:
            recorded: Any = torch.compile(model, dynamic=False) if self.compile else model
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            # On the stream of the recording, because libraries and autograd remember the stream
            # that they were first used on.
            eager = train_one_epoch(recorded, loss_function, optimizer, samples, training)
            for _ in range(WARM_UP):
                stream.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(stream):
                    next(eager)
                torch.cuda.current_stream().wait_stream(stream)
                yield
            del eager  # its loss keeps autograd's nodes of the last update alive
            self._record(recorded, loss_function, optimizer, samples, training.batch_size, stream)
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
        stream: torch.cuda.Stream,
    ) -> None:
        """Record one update; recording computes nothing."""
        self._chosen = torch.zeros(batch_size, dtype=torch.int64, device=samples.labels.device)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            outputs = model(samples.images.index_select(0, self._chosen))
            labels = samples.labels.index_select(0, self._chosen)
            loss = loss_function(outputs, labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        # The gradients now belong to the graph, and an update without it must not add to them.
        optimizer.zero_grad()
        self._graph, self._loss, self._outputs = graph, loss.detach(), outputs.detach()
