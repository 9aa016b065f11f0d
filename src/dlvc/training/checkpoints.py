"""Checkpoints: an interrupted training resumes where it stopped, and ends with the same bytes.

Checkpoints are in the project's `.dlvc/checkpoints/`, not among the outs, because DVC deletes the
outs before it starts a stage. The name of a checkpoint is a digest of everything that the result
depends on, so a training never finds the checkpoint of another one.
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

from dlvc.training.checkpoint_paths import CHECKPOINTS, COMPLETE, lock_of
from dlvc.training.process_group import SINGLE_PROCESS, ProcessGroup
from dlvc.training.runtime import computed_with
from dlvc.training.samples import Samples
from dlvc.training.state import TrainingState
from dlvc.training.weights import weights_as_bytes
from dvcview.console import log, set_signal_handlers
from dvcview.errors import UserError
from dvcview.files.checksum import md5_of_bytes, read_checksummed, write_checksummed

AFTER_AN_EPOCH = 1  # seconds; shorter epochs share a checkpoint, to avoid thousands of them
WITHIN_AN_EPOCH = 20  # seconds
SHARE = 10  # writing checkpoints takes at most a tenth of the time
TO_STOP = 1.5  # seconds from Ctrl-C to the end of the current batch
LOCKFILE = Path("dvc.lock")
KEPT = 4  # checkpoints of one stage, for parameters that were tried and interrupted
# Modules whose code decides what a training computes. Of the parameters the digest has the values.
CODE = ("dlvc.", "dvcview.files.")
NOT_CODE = ("dlvc.params.", "dlvc.launcher", "dlvc.cli")


class Checkpoint:
    """The checkpoint of one training, kept until DVC has recorded the result.

    `with Checkpoint("lenet", params) as checkpoint:` encloses `fit(..., checkpoint=checkpoint)`.
    `params` are the stage's parameters with flat names, including those of `runtime`.

    A checkpoint is saved after an epoch and every `WITHIN_AN_EPOCH` seconds within one. Ctrl-C and
    SIGTERM stop the training after the current batch, and save a last checkpoint first.

    In a `group` of several processes all are in the same state after each batch. The main process
    saves it; when the training resumes, the others receive what the main process has restored.
    """

    def __init__(
        self, stage: str, params: Mapping[str, Any], group: ProcessGroup = SINGLE_PROCESS
    ) -> None:
        self._stage = stage
        self._params = params
        self._group = group
        self._folder = Path(os.environ.get("DVC_ROOT", ".")) / CHECKPOINTS
        self._path: Path | None = None
        self._lock: FileLock | None = None
        self._saved_at = 0.0
        self._save_seconds = 0.0
        self._signal: int | None = None  # the signal that requested the stop
        self._stop_timer = threading.Timer(TO_STOP, self._stop_within_batch)

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        """Mark a completed training's checkpoint. It stays until dvc.lock records the results."""
        if self._path is None or self._lock is None:
            return
        if kind is None and self._path.exists():
            self._path.replace(_complete(self._path))
        if not self._path.exists() and not _complete(self._path).exists():
            lock_of(self._path).unlink(missing_ok=True)
        self._lock.release()

    @contextmanager
    def restore_or_start(
        self, state: TrainingState, train: Samples, test: Samples
    ) -> Iterator[Callable[[], None]]:
        """Restore `state` if there is a checkpoint; gives the function to call after each batch."""
        training = self._digest(state, train, test)
        self._check_all_processes_agree(training, train.labels.device)
        if not self._group.is_main_process:
            self._restore(state, self._group.broadcast(b""))
            yield lambda: None
            return
        computed = computed_with(train.labels.device)
        self._lock_path(hashlib.sha256(f"{training} {computed}".encode()).hexdigest()[:16])
        self._restore(state, self._group.broadcast(self._read()))
        self._saved_at = time.monotonic()
        before = set_signal_handlers(self._on_signal)
        try:
            yield partial(self._on_batch_end, state)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self._stop_timer.cancel()
        if self._signal:  # it came after the last batch
            self._stop(state)

    def _check_all_processes_agree(self, training: str, device: torch.device) -> None:
        """Refuse to train with processes that have other parameters, code or images.

        Another machine may have them. All messages would have the same shapes, and the result
        would belong to no set of parameters.
        """
        main = self._group.broadcast(training.encode())
        others = torch.tensor([float(main != training.encode())], device=device)
        self._group.all_reduce([others])
        if others.item():
            raise UserError(
                f"{self._stage}: {others.item():.0f} of its {self._group.size} processes have "
                "other parameters, code or images than the main process; bring each machine to the "
                "same commit, params.yaml and data (`git status`, `dvc pull`)"
            )

    def _digest(self, state: TrainingState, train: Samples, test: Samples) -> str:
        """A digest of everything that the result depends on, except the hardware."""
        digest = hashlib.sha256()
        rule = [(k, v) for k, v in vars(state.optimizer).items() if isinstance(v, float)]
        settings = [self._stage, type(state.optimizer).__name__, rule, dict(self._params)]
        digest.update(json.dumps(settings, sort_keys=True).encode())
        for name, module in sorted(sys.modules.items()):
            if name.startswith(CODE) and not name.startswith(NOT_CODE):
                digest.update(_source(module))
        tensors = [*state.model.state_dict().values(), state.generator.get_state()]
        for samples in (train, test):
            tensors += [samples.images, samples.labels]
        for tensor in tensors:
            digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).data)
        return digest.hexdigest()

    def _lock_path(self, key: str) -> None:
        """Choose the checkpoint's path and lock it.

        Without a lock no checkpoints are saved: another process runs the same training.
        """
        path = self._folder / f"{self._stage}-{key}.pt"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(lock_of(path))
            lock.acquire(timeout=0)
        except (OSError, Timeout) as error:
            log(f"no checkpoints are saved for this training ({error})")
            return
        self._path, self._lock = path, lock
        others = sorted(
            (found for found in self._folder.glob(f"{self._stage}-*.pt") if found != path),
            key=lambda found: found.stat().st_mtime,
        )
        for old in others[: -KEPT + 1]:
            old.unlink(missing_ok=True)
            lock_of(old).unlink(missing_ok=True)

    def _read(self) -> bytes:
        """The saved state; empty if it is missing or damaged, or if dvc.lock records its result."""
        if self._path is None:
            return b""
        for path in (self._path, _complete(self._path)):
            if not path.exists():
                continue
            content = read_checksummed(path)
            if content is None:
                log(f"{path}: damaged and not used; the training starts from the beginning")
                continue
            if path != self._path and self._is_recorded(_load(content)["model"]):
                path.unlink()  # the user has asked for the stage to run again
                continue
            return content
        return b""

    def _restore(self, state: TrainingState, content: bytes) -> None:
        if content:
            state.load_state_dict(_load(content))
            if self._group.is_main_process:
                log(f"resumes {state}")

    def _is_recorded(self, weights: Mapping[str, Tensor]) -> bool:
        """Whether dvc.lock names exactly these weights."""
        md5 = md5_of_bytes(weights_as_bytes(weights))
        return LOCKFILE.exists() and md5 in LOCKFILE.read_text(encoding="utf-8")

    def _on_batch_end(self, state: TrainingState) -> None:
        if self._signal:
            self._stop_timer.cancel()
            self._save(state)
            self._stop(state)
        interval = AFTER_AN_EPOCH if state.training is None else WITHIN_AN_EPOCH
        if time.monotonic() - self._saved_at >= max(interval, SHARE * self._save_seconds):
            self._save(state)

    def _save(self, state: TrainingState) -> None:
        """Save the state. A full disk does not stop the training."""
        if self._path is None:
            return
        began = time.monotonic()
        content = io.BytesIO()
        torch.save(state.state_dict(), content)
        try:
            with content.getbuffer() as view:
                write_checksummed(self._path, view)
        except UserError as error:
            log(f"no checkpoint was saved: {error}")
        self._saved_at = time.monotonic()
        self._save_seconds = self._saved_at - began

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Request a stop at the end of the batch, and limit the time until then."""
        if self._signal is None:
            self._signal = number
            self._stop_timer.daemon = True
            self._stop_timer.start()

    def _stop(self, state: TrainingState) -> NoReturn:
        log(f"stopped {state}; the same command resumes there")
        if self._signal == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + signal.SIGTERM)

    def _stop_within_batch(self) -> None:
        """End the process, because the batch takes too long; the last checkpoint remains."""
        log("stopped; the same command resumes from the last checkpoint")
        os._exit(128 + (self._signal or 0))


def _complete(path: Path) -> Path:
    return path.with_suffix(COMPLETE)


def _load(content: bytes) -> dict[str, Any]:
    saved: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return saved


def _source(module: ModuleType) -> bytes:
    return Path(module.__file__).read_bytes() if module.__file__ else b""
