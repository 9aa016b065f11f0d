"""Values that replace those in params.yaml: profiles and command-line arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlvc.params.reader import Params, check_params
from dvcview.errors import UserError, dotted, truncate
from dvcview.files.yaml_files import parse_yaml, read_yaml
from dvcview.project.params import PARAMS_FILE, flatten

PROFILES = Path("profiles")
# Words that Hydra does not read as text, in lower and in upper case.
HYDRA_WORDS = {"true", "false", "null", "nan", "inf"}


def read_profile(name: str) -> dict[str, Any]:
    """Read profiles/<name>.yaml and check its values together with those of params.yaml.

    Returns:
        the values by flat name, such as `{"lenet.epochs": 3}`.

    Raises:
        UserError: there is no such profile, or it does not fit params.yaml.
    """
    allowed = sorted(path.stem for path in PROFILES.glob("*.yaml"))
    if name not in allowed:
        raise UserError(f"unknown profile {truncate(name)}; allowed: {', '.join(allowed)}")
    path = PROFILES / f"{name}.yaml"
    content = read_yaml(path)
    if not isinstance(content, Mapping):
        found = f"the content is {truncate(content)}"
        raise UserError(f"{path}: {found}; expected sections as in {PARAMS_FILE}")
    values = flatten(content)
    check_overlay(values, str(path))
    return values


def parse_overrides(arguments: Sequence[str]) -> dict[str, Any]:
    """Read values from arguments such as `--lenet.epochs 3` or `--lenet.epochs=3`.

    Each value is parsed as YAML. Text without quotes is kept unchanged, including ` #`.

    Returns:
        the values by flat name.

    Raises:
        UserError: an argument has another form, has no value, is not valid YAML, or is given twice.

    >>> parse_overrides(["--lenet.epochs", "3", "--data.digits.source=mnist"])
    {'lenet.epochs': 3, 'data.digits.source': 'mnist'}
    """
    values: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("--"):
            raise UserError(f"unknown argument {truncate(argument)}; expected --section.key value")
        key, equals, text = argument[2:].partition("=")
        name = f"--{dotted(key.split('.'))}"
        if not equals:
            if not rest:
                raise UserError(f"{name} has no value; expected --section.key value")
            text = rest.pop(0)
        value = parse_yaml(text, f"{name} {truncate(text)}")
        if isinstance(value, str) and text.lstrip()[0] not in "'\"":
            value = text
        given = flatten({key: value})  # the value can be a section, or a part of one
        if values.keys() & given.keys():
            raise UserError(f"{name} is given twice; remove one of the two")
        values |= given
    return values


def check_overlay(values: Mapping[str, Any], name: str) -> Params:
    """Check params.yaml after replacing `values`, given by flat name.

    Raises:
        UserError: params.yaml is invalid by itself, or with these values. In the second case the
            message begins with `name`, which says where the values come from.
    """
    content = read_yaml(PARAMS_FILE)
    check_params(content, str(PARAMS_FILE))
    _overlay(content, values, name)
    return check_params(content, name)


def as_overrides(values: Mapping[str, Any]) -> list[str]:
    """The arguments of `dvc exp run` for values by flat name: `-S key=value` for each.

    >>> as_overrides({"lenet.epochs": 3})
    ['-S', 'lenet.epochs=3']
    """
    arguments: list[str] = []
    for key, value in values.items():
        arguments += ["-S", f"{key}={_quoted(value)}"]
    return arguments


def _overlay(content: dict[str, Any], values: Mapping[str, Any], name: str) -> None:
    """Write values with flat names into the nested sections of `content`."""
    for key, value in values.items():
        section = content
        *path, last = key.split(".")
        for part in path:
            section = section.setdefault(part, {})
            if not isinstance(section, dict):
                unknown, found = dotted(key.split(".")), dotted([part])
                raise UserError(f"{name}: unknown key {unknown}; {found} is a value, not a section")
        section[last] = value


def _quoted(value: Any) -> str:
    """The text from which Hydra's override grammar, which `-S` uses, reads `value` unchanged."""
    if not isinstance(value, str):
        return str(value)
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value) and value.lower() not in HYDRA_WORDS:
        return value
    # Hydra reads a backslash literally, except before a quote.
    text = re.sub(r"(\\+)(?='|\Z)", r"\1\1", value).replace("'", r"\'")
    return f"'{text}'"
