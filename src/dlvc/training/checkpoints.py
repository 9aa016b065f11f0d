"""A training's state on disk while it goes on, so that a killed stage goes on where it was.

Checkpoints lie in the project's `.dlvc/checkpoints/`, outside of the outs, which DVC deletes before
it starts a stage. The name of one is a digest of everything that the result depends on, so that the
checkpoint of another state is never found.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType, ModuleType, TracebackType
from typing import Any, NoReturn

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor

from dlvc.training.process_group import ALONE, World
from dlvc.training.runtime import computed_with
from dlvc.training.samples import Samples
from dlvc.training.state import TrainingState
from dvcview.console import handle, say
from dvcview.errors import UserError
from dvcview.files import artifacts
from dvcview.files.checksum import read_sealed, write_sealed
from dvcview.files.hashes import md5_of_bytes
from dvcview.run.lockfile_backup import CHECKPOINTS, COMPLETE, LOCK, lock_of

AFTER_AN_EPOCH = 1  # seconds: shorter epochs share a checkpoint, or thousands would be written
WITHIN_AN_EPOCH = 20  # seconds
SHARE = 10  # at most a tenth of the time goes into writing them
TO_STOP = 1.5  # seconds from Ctrl-C to the next point at which a training can be left
KEPT = 4  # of one stage, for values that were tried, interrupted, and are come back to
UNTOLD = "dvcview.tracking"  # it gives nothing back, so no result depends on it


class Checkpoint:
    """The state of one stage's training, kept while it trains and until DVC knows its result.

    `with Checkpoint("lenet", params) as checkpoint:` goes around `fit(..., checkpoint=checkpoint)`
    and the writing of what was learned. `params` are the stage's parameters with flat names; those
    of `runtime` are among them.

    A checkpoint is written after an epoch and every `WITHIN_AN_EPOCH` seconds within one. Ctrl-C
    and SIGTERM stop the training at the next point at which it can be left, after a last one.

    In a `world` of several processes all are in the same state after each batch. The first one
    keeps it; the others only get what it finds.
    """

    def __init__(self, stage: str, params: Mapping[str, Any], world: World = ALONE) -> None:
        self._stage = stage
        self._params = params
        self._world = world
        self._folder = Path(os.environ.get("DVC_ROOT", ".")) / CHECKPOINTS
        self._path: Path | None = None
        self._lock: FileLock | None = None
        self._written = 0.0
        self._took = 0.0
        self._asked: int | None = None  # the signal that asked to stop
        self._last_word = threading.Timer(TO_STOP, self._give_up)

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        """All is written, but not yet in dvc.lock: until it is, a kill must not lose it."""
        if self._path is None or self._lock is None:
            return
        if kind is None and self._path.exists():
            self._path.replace(_complete(self._path))
        if not self._path.exists() and not _complete(self._path).exists():
            lock_of(self._path).unlink(missing_ok=True)
        self._lock.release()

    @contextmanager
    def keep(
        self, state: TrainingState, train: Samples, test: Samples
    ) -> Iterator[Callable[[], None]]:
        """Bring `state` to where it was left, if it was; give what to call wherever it can be."""
        training = self._digest(state, train, test)
        self._check_the_same(training, train.labels.device)
        if not self._world.is_first:
            self._restore(state, self._world.from_first(b""))
            yield lambda: None
            return
        computed = computed_with(train.labels.device)
        self._take_place(hashlib.sha256(f"{training} {computed}".encode()).hexdigest()[:16])
        self._restore(state, self._world.from_first(self._find()))
        self._written = time.monotonic()
        before = handle(self._ask)
        try:
            yield partial(self._may_be_left_here, state)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self._last_word.cancel()
        if self._asked:  # between the last such point and here
            self._stop(state)

    def _check_the_same(self, training: str, device: torch.device) -> None:
        """Another machine may have other parameters, code or images: all messages would still have
        the same shapes, and what is learned would be nobody's training."""
        first = self._world.from_first(training.encode())
        others = torch.tensor([float(first != training.encode())], device=device)
        self._world.add_up([others])
        if others.item():
            raise UserError(
                f"{self._stage}: {others.item():.0f} of its {self._world.size} processes have "
                "other parameters, code or images than the first one; bring each machine to the "
                "same commit, params.yaml and data (`git status`, `dvc pull`)"
            )

    def _digest(self, state: TrainingState, train: Samples, test: Samples) -> str:
        """Of everything that the result depends on, but the processor."""
        digest = hashlib.sha256()
        rule = type(state.optimizer).__name__
        about = [self._stage, rule, dict(self._params)]
        digest.update(json.dumps(about, sort_keys=True).encode())
        for name, module in sorted(sys.modules.items()):
            if name.startswith("dlvc.") and not name.startswith(UNTOLD):
                digest.update(_source(module))
        tensors = [*state.model.state_dict().values(), state.generator.get_state()]
        for samples in (train, test):
            tensors += [samples.images, samples.labels]
        for tensor in tensors:
            digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).data)
        return digest.hexdigest()

    def _take_place(self, key: str) -> None:
        """Choose the file, alone; another process with the very same training has it already."""
        path = self._folder / f"{self._stage}-{key}.pt"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(lock_of(path))
            lock.acquire(timeout=0)
        except (OSError, Timeout) as error:
            say(f"no checkpoints are kept of this training ({error})")
            return
        self._path, self._lock = path, lock
        kept = sorted(
            (found for found in self._folder.glob(f"{self._stage}-*.pt") if found != path),
            key=lambda found: found.stat().st_mtime,
        )
        for old in kept[: -KEPT + 1]:
            old.unlink(missing_ok=True)
            lock_of(old).unlink(missing_ok=True)

    def _find(self) -> bytes:
        """The state to go on from; nothing where it is damaged or DVC has its result already."""
        if self._path is None:
            return b""
        for path in (self._path, _complete(self._path)):
            if not path.exists():
                continue
            content = read_sealed(path)
            if content is None:
                say(f"{path}: damaged, not used; the training begins anew")
                continue
            if path != self._path and self._is_known_to_dvc(_load(content)["model"]):
                path.unlink()  # its stage is run anew because somebody wants it so
                continue
            return content
        return b""

    def _restore(self, state: TrainingState, content: bytes) -> None:
        if content:
            state.restore(_load(content))
            if self._world.is_first:
                say(f"goes on {state}")

    def _is_known_to_dvc(self, weights: Mapping[str, Tensor]) -> bool:
        """Whether dvc.lock names the very weights: then the stage's end was not lost."""
        md5 = md5_of_bytes(artifacts.weights_as_bytes(weights))
        return LOCK.exists() and md5 in LOCK.read_text(encoding="utf-8")

    def _may_be_left_here(self, state: TrainingState) -> None:
        if self._asked:
            self._last_word.cancel()
            self._write(state)
            self._stop(state)
        apart = AFTER_AN_EPOCH if state.training is None else WITHIN_AN_EPOCH
        if time.monotonic() - self._written >= max(apart, SHARE * self._took):
            self._write(state)

    def _write(self, state: TrainingState) -> None:
        """A full disk costs what could be repeated, not the training."""
        if self._path is None:
            return
        began = time.monotonic()
        content = io.BytesIO()
        torch.save(state.save(), content)
        try:
            write_sealed(self._path, content.getbuffer())
        except UserError as error:
            say(f"no checkpoint was written: {error}")
        self._written = time.monotonic()
        self._took = self._written - began

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        """Ctrl-C or SIGTERM: the training stops by itself, or, if that takes too long, is ended."""
        if self._asked is None:
            self._asked = number
            self._last_word.daemon = True
            self._last_word.start()

    def _stop(self, state: TrainingState) -> NoReturn:
        say(f"stopped {state}; the same command goes on from there")
        if self._asked == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + signal.SIGTERM)

    def _give_up(self) -> None:
        """One batch takes longer than anybody wants to wait; the last checkpoint stays."""
        say("stopped; the same command goes on from the last checkpoint")
        os._exit(128 + (self._asked or 0))


def _complete(path: Path) -> Path:
    return path.with_suffix(COMPLETE)


def _load(content: bytes) -> dict[str, Any]:
    saved: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return saved


def _source(module: ModuleType) -> bytes:
    return Path(module.__file__).read_bytes() if module.__file__ else b""
