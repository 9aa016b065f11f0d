"""dvcview.yaml: how a project appears in MLflow. The file and every key in it may be left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib import import_module
from pathlib import Path
from typing import Any

from dvcview.errors import UserError, truncate
from dvcview.files.yaml_files import read_yaml

CONFIG_FILE = "dvcview.yaml"
KINDS: dict[type, str] = {str: "text", dict: "a mapping", list: "a list"}


@dataclass(frozen=True)
class Config:
    """The keys of dvcview.yaml.

    Attributes:
        name: of the experiment of all stages that `experiments` does not name; the name of the
            project's folder by default.
        experiments: a YAML file with more experiments, and the names of runs;
            see `dvcview.tracking.displays`.
        axes: for columns of plots, the metrics that are logged a second time over this column,
            as `by_COLUMN/METRIC`, besides over the plot's own column for x.
        columns: the columns of the tables of runs, such as `metrics.accuracy` and `tags.data`.
        charts: the charts of the experiments: the metrics of each section, by its title.
        pictures: a JSON out with the pictures that one stage draws from other stages' outs;
            see `dvcview.tracking.pictures`.
        callback: `module:function`, called once for each finished run to log more to it.
        checks: `module:name`, a list of the project's own checks for `dvcview verify`;
            see `dvcview.verify.verify`.
    """

    name: str = ""
    experiments: str = ""
    axes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    columns: Sequence[str] = ()
    charts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    pictures: str = ""
    callback: str = ""
    checks: str = ""

    def import_callback(self) -> Callable[..., None] | None:
        """The function that `callback` names."""
        function: Callable[..., None] | None = _import(self.callback)
        return function

    def import_checks(self) -> Sequence[Callable[..., Any]]:
        """The functions that `checks` names."""
        return _import(self.checks) or ()


def _import(name: str) -> Any:
    if not name:
        return None
    module, _, attribute = name.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, SyntaxError, ValueError) as error:
        raise UserError(
            f"{CONFIG_FILE}: {truncate(name)} cannot be imported ({error}); allowed: module:name "
            "of a module on Python's path"
        ) from None


def read_config(root: Path) -> Config:
    """The configuration of a project; the defaults if it has none.

    Raises:
        UserError: a key is not known, or its value has the wrong type.
    """
    file = root / CONFIG_FILE
    content: Any = read_yaml(file) if file.exists() else {}
    kinds = {key.name: _kind(key.name) for key in fields(Config)}
    allowed = ", ".join(kinds)
    if not isinstance(content, dict):
        raise UserError(f"{CONFIG_FILE}: it is {truncate(content)}; allowed: the keys {allowed}")
    for key, value in content.items():
        if key not in kinds:
            raise UserError(f"{CONFIG_FILE}: {truncate(key)} is not known; allowed: {allowed}")
        _check(key, value, kinds[key])
    return Config(**{"name": root.resolve().name, **content})


def _kind(key: str) -> type:
    return {"axes": dict, "charts": dict, "columns": list}.get(key, str)


def _check(key: str, value: Any, kind: type) -> None:
    if not isinstance(value, kind):
        raise UserError(f"{CONFIG_FILE}: {key} is {truncate(value)}; allowed: {KINDS[kind]}")
    lists = {}
    if isinstance(value, dict):
        lists = {f"{key}.{name}": items for name, items in value.items()}
    elif isinstance(value, list):
        lists = {key: value}
    for name, items in lists.items():
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise UserError(f"{CONFIG_FILE}: {name} is {truncate(items)}; allowed: a list of texts")
