"""The features of many images in shards: worked off here, or each on another machine.

All images, those for training first, are cut into N parts, and each part becomes one file. It
appears when it is complete and tells whether it is whole; its folder is named by a digest of the
images, the settings and the code. Merged, the shards are the same bytes for every N and in whatever
order they were made, because the features of an image depend on that image alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from dlvc import features
from dlvc.data.dataset import open_dataset
from dlvc.features import extract
from dlvc.params.reader import flatten
from dlvc.params.schema import Features
from dvcview.console import say
from dvcview.errors import UserError, short
from dvcview.files.artifacts import read_json
from dvcview.files.checksum import read_sealed, write_sealed

SHARDS = Path("data/shards")
SHOWN = 10  # names, of as many as there may be


class Shards:
    """The features of the images of a folder, in parts.

    `settings.shards` says in how many, `photos` is a folder that `save_dataset` has written.
    """

    def __init__(self, photos: Path, settings: Features) -> None:
        dataset = open_dataset(photos)
        self.images = (dataset.train_images, dataset.test_images)
        self.count = settings.shards
        self.workers = settings.workers
        wanted = flatten(settings.model_dump(exclude={"shards", "workers"}))
        self._arguments = {key.replace(".", "_"): value for key, value in wanted.items()}
        about = [read_json(photos / "summary.json")["digest"], wanted, _digest_of_code()]
        key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
        self.folder = SHARDS / key

    def __len__(self) -> int:
        return sum(map(len, self.images))

    def rows(self, number: int) -> slice:
        """Which of all images belong to a shard."""
        return slice(len(self) * number // self.count, len(self) * (number + 1) // self.count)

    def file(self, number: int) -> Path:
        """Where it is, when it is complete."""
        return self.folder / f"{number}-of-{self.count}"

    def read(self, number: int) -> NDArray[np.float64] | None:
        """Its features `(n, 9)`; None where it is missing or damaged."""
        content = read_sealed(self.file(number))
        if content is None:
            return None
        array: NDArray[np.float64] = np.load(io.BytesIO(content), allow_pickle=False)
        return array

    def missing(self) -> list[int]:
        """Those that have still to be made; where others are there, or damaged, it is said."""
        missing = [number for number in range(self.count) if self.read(number) is None]
        damaged = {number for number in missing if self.file(number).exists()}
        for number in sorted(damaged):
            say(f"{self.file(number)}: damaged, made again")
        lost = [self.file(number).name for number in missing if number not in damaged]
        if lost and len(missing) < self.count:
            more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
            say(f"{self.folder}: {', '.join(lost[:SHOWN])}{more} missing, made now")
        others = {file.name.rpartition("-of-")[2] for file in self.folder.glob("[0-9]*-of-*")}
        for count in sorted(others - {str(self.count)}):
            say(f"{self.folder}: shards of {count} are not used, features.shards is {self.count}")
        return missing

    def make(self, number: int, tell: Callable[[int], object]) -> None:
        """Make one; `tell` is called now and then with how many more images are done."""
        rows, before = self.rows(number), 0
        made: list[NDArray[np.float64]] = []
        for images in self.images:
            part = images[max(0, rows.start - before) : max(0, rows.stop - before)]
            made.append(extract(part, **self._arguments, progress=_in_steps(tell)))
            before += len(images)
        content = io.BytesIO()
        np.save(content, np.concatenate(made), allow_pickle=False)
        # A task that a scheduler has begun anew must not write into the file of the first.
        own = self.folder / f".{number}-of-{self.count}.{socket.gethostname()}.{os.getpid()}"
        write_sealed(own, content.getbuffer())
        own.replace(self.file(number))

    def make_missing(self) -> None:
        """Make all that are missing, `workers` at a time, with one bar over all."""
        missing = self.missing()
        sizes = {number: self.rows(number).stop - self.rows(number).start for number in missing}
        there = len(self) - sum(sizes.values())
        with _bar(len(self), there, "features") as bar:
            if self.workers > 1:
                for number in self._made_by_workers(missing):
                    bar.update(sizes[number])
            else:
                for number in missing:
                    self.make(number, bar.update)

    def merge(self) -> list[NDArray[np.float64]]:
        """The features for training and for testing, `(N, 9)` each, of complete shards."""
        found = [self.read(number) for number in range(self.count)]
        whole = [part for part in found if part is not None]
        if len(whole) < self.count:
            lost = [str(self.file(n)) for n, part in enumerate(found) if part is None]
            raise UserError(
                f"missing or damaged: {', '.join(lost[:SHOWN])}; run the same command again"
            )
        every = np.concatenate(whole)
        return np.split(every, [len(self.images[0])])

    def forget(self) -> None:
        """Delete the files: what they hold is kept elsewhere."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _made_by_workers(self, missing: list[int]) -> Iterator[int]:
        """The numbers of shards as they are made, each by the command that a cluster would run."""
        words = [sys.executable, "-m", "dlvc.cli", "features", "--shard"]
        quiet = {**os.environ, "TQDM_DISABLE": "1"}  # there is one bar over all
        running: set[subprocess.Popen[bytes]] = set()
        ended = False
        changing = threading.Lock()

        def work(number: int) -> int:
            with changing:
                if ended:
                    return number
                process = subprocess.Popen(
                    [*words, f"{number}/{self.count}"], stdout=subprocess.DEVNULL, env=quiet
                )
                running.add(process)
            if process.wait() != 0:
                raise UserError(
                    f"{self.file(number)}: its worker ended with exit code {process.returncode}; "
                    "run the same command again: what is complete is not made again"
                )
            return number

        pool = ThreadPoolExecutor(self.workers)
        try:
            for future in as_completed([pool.submit(work, number) for number in missing]):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            with changing:
                ended = True
                for process in running:
                    process.terminate()


def make_shard(photos: Path, settings: Features, shard: str) -> str:
    """`dlvc features --shard i/N`: make one, unless it is there; what is said of it."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", shard)
    number, count = map(int, found.groups()) if found else (0, 0)
    if not number < count:
        raise UserError(f"--shard is {short(shard)}; allowed: 0/N to N-1/N, such as 2/7")
    shards = Shards(photos, settings.model_copy(update={"shards": count}))
    if shards.read(number) is not None:
        return f"{shards.file(number)} is complete already"
    rows = shards.rows(number)
    with _bar(rows.stop - rows.start, 0, f"shard {shard}") as bar:
        shards.make(number, bar.update)
    return f"{shards.file(number)}"


def _bar(images: int, done: int, title: str) -> tqdm[NoReturn]:
    return tqdm(total=images, initial=done, desc=title, unit="image", disable=None)


def _in_steps(tell: Callable[[int], object]) -> Callable[[int], None]:
    """From how many are done to how many more."""
    before = 0

    def told(done: int) -> None:
        nonlocal before
        tell(done - before)
        before = done

    return told


def _digest_of_code() -> str:
    """Of everything that the features of an image depend on besides the image."""
    folder = Path(features.__file__).parent
    code = [file.read_bytes() for file in sorted(folder.glob("*.py"))]
    return hashlib.sha256(b"".join([*code, np.__version__.encode()])).hexdigest()
