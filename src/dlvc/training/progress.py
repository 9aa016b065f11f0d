"""Progress of a training: a bar on a terminal, and one line per epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from dlvc.training.samples import EpochState
from dvcview import console

Result = TypeVar("Result")


@contextmanager
def progress_bar(title: str, training: EpochState) -> Iterator[Callable[[float], None]]:
    """Give a function of the current loss that moves the bar to the current batch.

    A resumed epoch starts its bar at the batch where it was interrupted. Without a terminal there
    is no bar.
    """
    with console.progress_bar(
        total=training.batches, initial=training.batch_index, desc=title, unit="batch",
        leave=False,
    ) as bar:  # fmt: skip

        def show(loss: float) -> None:
            bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
            bar.update(training.batch_index - bar.n)

        yield show


def print_each(results: Iterable[Result], callback: Callable[[Result], None]) -> list[Result]:
    """Print each result and pass it to `callback` as soon as it arrives; return all as a list.

    >>> print_each(["epoch 1"], lambda result: None)
    epoch 1
    ['epoch 1']
    """
    collected = []
    for result in results:
        print(result, flush=True)
        collected.append(result)
        callback(result)
    return collected
