"""params.yaml with flat names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

PARAMS_FILE = Path("params.yaml")


def flatten(section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as flat names, as `dvc exp run -S` and MLflow write them.

    >>> flatten({"lenet": {"epochs": 3, "seed": 1}})
    {'lenet.epochs': 3, 'lenet.seed': 1}
    """
    flat: dict[str, Any] = {}
    for key, value in section.items():
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def select(flat: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The values of sections, or of single keys, from flat names.

    >>> select({"lenet.epochs": 3, "lenet.seed": 1, "costs.size": 2}, "lenet")
    {'lenet.epochs': 3, 'lenet.seed': 1}
    """
    return {
        key: value
        for key, value in flat.items()
        if any(key == name or key.startswith(f"{name}.") for name in names)
    }
