"""Progress of a training: a bar on a terminal, and lines about some of the epochs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from dlvc.training.metrics import EpochResult
from dlvc.training.samples import EpochState
from dvcview import console

VERBOSE = "DLVC_VERBOSE"
EVERY = 10


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


def print_epochs(
    results: Iterable[EpochResult], epochs: int, callback: Callable[[EpochResult], None]
) -> list[EpochResult]:
    """Pass each result to `callback` as soon as it arrives; return all as a list.

    Prints the last epoch, in a log also the first and every tenth, and with the variable
    `DLVC_VERBOSE` all of them.
    """
    shown = {epochs}
    if VERBOSE in os.environ:
        shown |= set(range(epochs))
    elif not sys.stderr.isatty():  # a terminal has the bar
        shown |= {1, *range(EVERY, epochs, EVERY)}
    collected = []
    for result in results:
        if result.epoch in shown:
            print(result, flush=True)
        collected.append(result)
        callback(result)
    return collected
