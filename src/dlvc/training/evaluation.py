"""Evaluation of a model on samples that it is not trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from dlvc.training.process_group import SINGLE_PROCESS, ProcessGroup
from dlvc.training.samples import EpochState, Samples

LossFunction = Callable[[Tensor, Tensor], Tensor]

EVALUATION_BATCH_SIZE = 250  # limits the memory; no result depends on it


def loss_of_shard(
    loss_function: LossFunction, outputs: Tensor, labels: Tensor, batch: slice
) -> Tensor:
    """The contribution of some of a batch's samples to the mean loss of the batch."""
    size = batch.stop - batch.start
    if len(labels) == size:
        return loss_function(outputs, labels)
    if len(labels) == 0:
        return outputs.sum()  # 0, with gradients of 0
    loss: Tensor = loss_function(outputs, labels) * (len(labels) / size)
    return loss


def evaluation_state(samples: Samples, batch_size: int = 0) -> EpochState:
    """The state before the first batch of an evaluation.

    `batch_size` is that of the training. If it is larger than `EVALUATION_BATCH_SIZE`, it is used
    here as well, since enough memory is available.
    """
    return EpochState.sequential(samples, max(EVALUATION_BATCH_SIZE, batch_size))


@torch.no_grad()
def evaluate_batches(
    model: nn.Module,
    loss_function: LossFunction,
    samples: Samples,
    testing: EpochState,
    group: ProcessGroup = SINGLE_PROCESS,
) -> Iterator[None]:
    """Evaluate the model on the remaining batches of `testing`; yields after each batch."""
    model.eval()
    while not testing.is_complete:
        batch = testing.batch(testing.batch_index)
        shard = group.shard(batch)
        indices = testing.indices[shard]
        outputs = model(samples.images.index_select(0, indices))
        labels = samples.labels.index_select(0, indices)
        loss = loss_of_shard(loss_function, outputs, labels, batch)
        group.all_reduce(testing.update(loss, outputs, shard))
        yield
