"""Progress of long work: a bar on a terminal, nothing in a log (there, a line an epoch is)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

Record = TypeVar("Record")


@contextmanager
def progress_bar(title: str, batches: int) -> Iterator[Callable[[int, float], None]]:
    """A function `(batches done, current loss)` that moves a bar with rate and time left."""
    with tqdm(total=batches, desc=title, unit="batch", disable=None, leave=False) as bar:

        def report(done: int, loss: float) -> None:
            bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
            bar.update(done - bar.n)

        yield report


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
