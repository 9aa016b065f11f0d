"""Overlays on params.yaml: profiles, and values from a command line, checked before use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlvc.params.reader import PARAMS_FILE, Params, check_params, flatten
from dvcview.errors import UserError, dotted, short
from dvcview.files.artifacts import parse_yaml, read_yaml

PROFILES = Path("profiles")
HYDRA_WORDS = {"true", "false", "null", "nan", "inf"}  # in small and in capital letters


def read_profile(name: str) -> dict[str, Any]:
    """The values of profiles/<name>.yaml as flat names, checked on top of params.yaml."""
    allowed = sorted(path.stem for path in PROFILES.glob("*.yaml"))
    if name not in allowed:
        raise UserError(f"profile {short(name)} is not known; allowed: {', '.join(allowed)}")
    path = PROFILES / f"{name}.yaml"
    content = read_yaml(path)
    if not isinstance(content, Mapping):
        raise UserError(f"{path}: it is {short(content)}; expected sections as in {PARAMS_FILE}")
    values = flatten(content)
    check_overlay(values, str(path))
    return values


def parse_overrides(words: Sequence[str]) -> dict[str, Any]:
    """Values by flat name from words such as `--lenet.epochs 3` or `--lenet.epochs=3`.

    >>> parse_overrides(["--lenet.epochs", "3", "--data.digits.source=mnist"])
    {'lenet.epochs': 3, 'data.digits.source': 'mnist'}

    A value is read as YAML; text without quotes is taken as it stands, ` #` and all.
    """
    values: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            raise UserError(f"{short(word)} is not understood; expected --section.key value")
        key, equals, text = word[2:].partition("=")
        name = f"--{dotted(key.split('.'))}"
        if not equals:
            if not rest:
                raise UserError(f"{name} has no value; expected --section.key value")
            text = rest.pop(0)
        value = parse_yaml(text, f"{name} {short(text)}")
        if isinstance(value, str) and text.lstrip()[0] not in "'\"":
            value = text
        given = flatten({key: value})  # a section can be given as a whole, or in part
        if values.keys() & given.keys():
            raise UserError(f"{name} is given twice; leave one out")
        values |= given
    return values


def check_overlay(values: Mapping[str, Any], name: str) -> Params:
    """params.yaml with other values, checked; `name` is where they come from."""
    content = read_yaml(PARAMS_FILE)
    check_params(content, str(PARAMS_FILE))
    _overlay(content, values, name)
    return check_params(content, name)


def as_overrides(values: Mapping[str, Any]) -> list[str]:
    """What `dvc exp run` takes: `-S key=value` for each.

    >>> as_overrides({"lenet.epochs": 3})
    ['-S', 'lenet.epochs=3']
    """
    words: list[str] = []
    for key, value in values.items():
        words += ["-S", f"{key}={_quoted(value)}"]
    return words


def _overlay(content: dict[str, Any], values: Mapping[str, Any], name: str) -> None:
    """Put values with flat names into nested sections."""
    for key, value in values.items():
        section = content
        *path, last = key.split(".")
        for part in path:
            section = section.setdefault(part, {})
            if not isinstance(section, dict):
                known, found = dotted(key.split(".")), dotted([part])
                raise UserError(f"{name}: {known} is not known; {found} is a value, not a section")
        section[last] = value


def _quoted(value: Any) -> str:
    """As Hydra's grammar of overrides, which `-S` follows, gives it back unchanged."""
    if not isinstance(value, str):
        return str(value)
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value) and value.lower() not in HYDRA_WORDS:
        return value
    # A backslash stands for itself, except before a quote.
    text = re.sub(r"(\\+)(?='|\Z)", r"\1\1", value).replace("'", r"\'")
    return f"'{text}'"
