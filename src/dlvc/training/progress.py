"""Progress of long work: a bar on a terminal, nothing in a log (there, a line an epoch is)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

from dlvc.training.samples import Pass

Record = TypeVar("Record")


@contextmanager
def progress_bar(title: str, training: Pass) -> Iterator[Callable[[float], None]]:
    """A function of the current loss that moves a bar to where a pass is, with rate and time left.

    A pass that was taken up again starts where it was left.
    """
    with tqdm(
        total=training.batches, initial=training.done, desc=title, unit="batch",
        disable=None, leave=False,
    ) as bar:  # fmt: skip

        def show(loss: float) -> None:
            bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
            bar.update(training.done - bar.n)

        yield show


def follow(records: Iterable[Record], tell: Callable[[Record], None]) -> list[Record]:
    """The records as a list; each is printed, and told to `tell`, as it comes.

    >>> follow(["epoch 1"], lambda record: None)
    epoch 1
    ['epoch 1']
    """
    followed = []
    for record in records:
        print(record, flush=True)
        followed.append(record)
        tell(record)
    return followed
