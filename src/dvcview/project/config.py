"""dvcview.yaml: how a project appears in MLflow. Every key may be left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from dvcview.errors import UserError, truncate
from dvcview.files.artifacts import read_yaml

CONFIG_FILE = "dvcview.yaml"


@dataclass(frozen=True)
class Config:
    """The keys of dvcview.yaml.

    Attributes:
        experiments: a YAML file with the experiments and the names of the runs;
            see `dvcview.tracking.displays`.
        pictures: a JSON out with the pictures that one stage draws from other stages' outs;
            see `dvcview.tracking.pictures`.
        log_model: `module:function`, called once for each finished run to log a model.
    """

    experiments: str | None = None
    pictures: str | None = None
    log_model: str | None = None

    def import_log_model(self) -> Callable[..., None] | None:
        """The function that `log_model` names."""
        if self.log_model is None:
            return None
        module, _, name = self.log_model.partition(":")
        function: Callable[..., None] = getattr(import_module(module), name)
        return function


def read_config(root: Path) -> Config:
    """The configuration of a project; the defaults if it has none."""
    file = root / CONFIG_FILE
    content: Any = read_yaml(file) if file.exists() else {}
    allowed = ", ".join(Config.__annotations__)
    if not isinstance(content, dict):
        raise UserError(f"{CONFIG_FILE}: it is {truncate(content)}; allowed: the keys {allowed}")
    for key, value in content.items():
        if key not in Config.__annotations__:
            raise UserError(f"{CONFIG_FILE}: {truncate(key)} is not known; allowed: {allowed}")
        if not isinstance(value, str):
            raise UserError(f"{CONFIG_FILE}: {key} is {truncate(value)}; allowed: text")
    return Config(**content)
