"""The features of many images in shards, which one or several machines compute.

All images, first the training images, are divided into N shards, and the features of each shard
become one file. The file is complete as soon as it exists, and it contains its own checksum. Its
folder is named by a digest of the images, the settings and the code. The merged features are the
same bytes for every N and every order of computation, because the features of an image depend on
that image alone.
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

import numpy as np
from numpy.typing import NDArray

from dlvc import features
from dlvc.arrays.dataset import open_dataset
from dlvc.features import extract
from dlvc.params.schema import Features
from dvcview.console import log, progress_bar
from dvcview.errors import UserError, truncate
from dvcview.files.artifacts import read_json
from dvcview.files.checksum import read_checksummed, write_checksummed
from dvcview.project.params import flatten

SHARDS = Path("data/shards")
MAX_NAMES = 10  # file names in one message


class Shards:
    """The features of a data set in shards.

    `photos` is a folder that `save_dataset` has written; `settings.shards` is the number of shards.
    """

    def __init__(self, photos: Path, settings: Features) -> None:
        dataset = open_dataset(photos)
        self.images = (dataset.train_images, dataset.test_images)
        self.count = settings.shards
        self.workers = settings.workers
        options = flatten(settings.model_dump(exclude={"shards", "workers"}))
        self._arguments = {key.replace(".", "_"): value for key, value in options.items()}
        inputs = [read_json(photos / "summary.json")["digest"], options, _digest_of_code()]
        key = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]
        self.folder = SHARDS / key

    def __len__(self) -> int:
        return sum(map(len, self.images))

    def rows(self, number: int) -> slice:
        """The images of a shard, as a slice of all images."""
        return slice(len(self) * number // self.count, len(self) * (number + 1) // self.count)

    def file(self, number: int) -> Path:
        """The path of a shard, which exists once the shard is complete."""
        return self.folder / f"{number}-of-{self.count}"

    def read(self, number: int) -> NDArray[np.float64] | None:
        """The features float64 `(n, 9)` of a shard, or None if its file is missing or damaged."""
        content = read_checksummed(self.file(number))
        if content is None:
            return None
        array: NDArray[np.float64] = np.load(io.BytesIO(content), allow_pickle=False)
        return array

    def missing(self) -> list[int]:
        """The shards to compute; logs those that are damaged or missing beside others."""
        missing = [number for number in range(self.count) if self.read(number) is None]
        damaged = {number for number in missing if self.file(number).exists()}
        for number in sorted(damaged):
            log(f"{self.file(number)}: damaged; computing it again")
        names = [self.file(number).name for number in missing if number not in damaged]
        if names and len(missing) < self.count:
            more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
            log(f"{self.folder}: computing missing shards: {', '.join(names[:MAX_NAMES])}{more}")
        counts = {file.name.rpartition("-of-")[2] for file in self.folder.glob("[0-9]*-of-*")}
        for count in sorted(counts - {str(self.count)}):
            log(f"{self.folder}: ignoring *-of-{count}, because features.shards is {self.count}")
        return missing

    def make(self, number: int, callback: Callable[[int], object]) -> None:
        """Compute a shard; calls `callback` after each chunk with the number of its images."""
        rows, before = self.rows(number), 0
        parts: list[NDArray[np.float64]] = []
        for images in self.images:
            selected = images[max(0, rows.start - before) : max(0, rows.stop - before)]
            progress = _increments(callback)
            parts.append(extract(selected, **self._arguments, progress=progress))
            before += len(images)
        content = io.BytesIO()
        np.save(content, np.concatenate(parts), allow_pickle=False)
        # A task that a scheduler has restarted must not write to the file of the first attempt.
        temporary = self.folder / f".{number}-of-{self.count}.{socket.gethostname()}.{os.getpid()}"
        with content.getbuffer() as view:
            write_checksummed(temporary, view)
        temporary.replace(self.file(number))

    def make_missing(self) -> None:
        """Compute all missing shards, `workers` at a time, with one progress bar."""
        missing = self.missing()
        sizes = {number: self.rows(number).stop - self.rows(number).start for number in missing}
        done = len(self) - sum(sizes.values())
        with progress_bar(total=len(self), initial=done, desc="features", unit="image") as bar:
            if self.workers > 1:
                for number in self._make_in_workers(missing):
                    bar.update(sizes[number])
            else:
                for number in missing:
                    self.make(number, bar.update)

    def merge(self) -> list[NDArray[np.float64]]:
        """The features of the training and test images, float64 `(N, 9)` each.

        Raises:
            UserError: a shard is missing or damaged.
        """
        shards = [self.read(number) for number in range(self.count)]
        complete = [shard for shard in shards if shard is not None]
        if len(complete) < self.count:
            paths = [str(self.file(n)) for n, shard in enumerate(shards) if shard is None]
            raise UserError(
                f"missing or damaged: {', '.join(paths[:MAX_NAMES])}; run the same command again"
            )
        return np.split(np.concatenate(complete), [len(self.images[0])])

    def forget(self) -> None:
        """Delete the folder of the shards, once the features are saved elsewhere."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make_in_workers(self, missing: list[int]) -> Iterator[int]:
        """Run `dlvc features --shard` for each shard; yields the number of each completed shard."""
        command = [sys.executable, "-P", "-m", "dlvc.cli", "features", "--shard"]
        environment = {**os.environ, "TQDM_DISABLE": "1"}  # this process shows one bar for all
        running: set[subprocess.Popen[bytes]] = set()
        ended = False
        lock = threading.Lock()

        def work(number: int) -> int:
            with lock:
                if ended:
                    return number
                process = subprocess.Popen(
                    [*command, f"{number}/{self.count}"],
                    stdout=subprocess.DEVNULL,
                    env=environment,
                )
                running.add(process)
            if process.wait() != 0:
                raise UserError(
                    f"{self.file(number)}: its worker ended with exit code {process.returncode}; "
                    "run the same command again, which keeps completed shards"
                )
            return number

        pool = ThreadPoolExecutor(self.workers)
        try:
            for future in as_completed([pool.submit(work, number) for number in missing]):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            with lock:
                ended = True
                for process in running:
                    process.terminate()


def make_shard(photos: Path, settings: Features, shard: str) -> str:
    """`dlvc features --shard i/N`: compute a shard unless it is complete; returns a message.

    Raises:
        UserError: `shard` is not of the form i/N with 0 ≤ i < N.
    """
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", shard)
    number, count = map(int, match.groups()) if match else (0, 0)
    if not number < count:
        raise UserError(f"--shard is {truncate(shard)}; allowed: 0/N to N-1/N, such as 2/7")
    shards = Shards(photos, settings.model_copy(update={"shards": count}))
    if shards.read(number) is not None:
        return f"{shards.file(number)} is already complete"
    rows = shards.rows(number)
    with progress_bar(total=rows.stop - rows.start, desc=f"shard {shard}", unit="image") as bar:
        shards.make(number, bar.update)
    return f"{shards.file(number)}"


def _increments(callback: Callable[[int], object]) -> Callable[[int], None]:
    """A function that takes totals and calls `callback` with the increase since the last total."""
    before = 0

    def on_progress(done: int) -> None:
        nonlocal before
        callback(done - before)
        before = done

    return on_progress


def _digest_of_code() -> str:
    """The SHA-256 of the code of the features and of NumPy's version, in hexadecimal."""
    folder = Path(features.__file__).parent
    code = [file.read_bytes() for file in sorted(folder.glob("*.py"))]
    return hashlib.sha256(b"".join([*code, np.__version__.encode()])).hexdigest()
