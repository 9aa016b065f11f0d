"""The weights of a model in files, as safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file, save
from torch import Tensor

from dvcview.files.artifacts import readable, write_bytes


def write_weights(path: Path, state: Mapping[str, Tensor]) -> None:
    """Write a model's `state_dict`, atomically."""
    write_bytes(path, weights_as_bytes(state))


def weights_as_bytes(state: Mapping[str, Tensor]) -> bytes:
    """Serialize a `state_dict`; its tensors can have any device and layout."""
    content: bytes = save({name: value.cpu().contiguous() for name, value in state.items()})
    return content


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a `state_dict`; a damaged file raises a `UserError`."""
    with readable(path, "safetensors"):
        weights: dict[str, Tensor] = load_file(path)
    return weights
