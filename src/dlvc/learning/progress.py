"""Progress of long work: a bar on a terminal, nothing in a log (there, a line an epoch is)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def progress_bar(title: str, batches: int) -> Iterator[Callable[[int, float], None]]:
    """A function `(batches done, current loss)` that moves a bar with rate and time left."""
    with tqdm(total=batches, desc=title, unit="batch", disable=None, leave=False) as bar:

        def report(done: int, loss: float) -> None:
            bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
            bar.update(done - bar.n)

        yield report
