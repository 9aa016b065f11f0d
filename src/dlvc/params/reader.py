"""params.yaml as typed, frozen values; whoever mistypes is told in one line.

`dlvc.params.schema` has one class per section. An unknown key, a wrong type or a value out of range
is a `UserError` that names the key, the value and what is allowed. It is raised before anything is
touched.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator

from dlvc.params.schema import (
    Claims,
    Costs,
    Data,
    DenseNet,
    Features,
    Optimizers,
    Runtime,
    Section,
    SeededTraining,
    UpdateRules,
)
from dvcview.errors import UserError, dotted, short
from dvcview.files.artifacts import read_yaml

PARAMS_FILE = Path("params.yaml")


class Params(Section):
    """All of params.yaml."""

    runtime: Runtime
    data: Data
    features: Features
    perceptron: SeededTraining
    update_rules: UpdateRules
    optimizers: Optimizers
    lenet: SeededTraining
    densenet: DenseNet
    claims: Claims
    costs: Costs

    def select(self, *names: str) -> dict[str, Any]:
        """The values of some sections (or of single keys) with flat names, as in `dvc.yaml`."""
        return {
            key: value
            for key, value in flatten(self.model_dump()).items()
            if any(key == name or key.startswith(f"{name}.") for name in names)
        }

    @model_validator(mode="after")
    def _batches_have_more_than_one(self) -> Params:
        # DenseNet's last block normalises over the batch alone when images are as small as 32 px.
        if self.densenet.batch_size == 1:
            raise ValueError("densenet.batch_size is 1: batch normalisation needs at least 2")
        return self

    @model_validator(mode="after")
    def _compilation_is_for_one_process(self) -> Params:
        if self.runtime.compile and self.runtime.processes > 1:
            found = f"runtime.processes is {self.runtime.processes} and runtime.compile is true"
            raise ValueError(f"{found}; allowed: one of them, 1 or false")
        return self

    @model_validator(mode="after")
    def _pictures_are_on_this_machine(self) -> Params:
        # DVC would load an address, and keep it with its password in dvc.lock. OmegaConf, by which
        # `-S` changes params.yaml, would put a variable of the environment in the place of ${...},
        # and takes ??? for a value that is missing.
        for name, images in (("digits", self.data.digits), ("photos", self.data.photos)):
            if "://" in images.path or "${" in images.path or images.path == "???":
                found = f"data.{name}.path is {short(images.path)}"
                raise ValueError(f"{found}; allowed: a folder or .zip on this machine, without ${{")
        return self


def read_params(path: Path = PARAMS_FILE) -> Params:
    """The checked content of params.yaml."""
    return check_params(read_yaml(path), str(path))


def check_params(content: Any, name: str) -> Params:
    """`content` as `Params`; a `UserError` that begins with `name` says what is wrong with it.

    >>> check_params({"lenet": 3}, "params.yaml")
    Traceback (most recent call last):
    dvcview.errors.UserError: params.yaml: lenet is 3; it should be a section with the keys ...
    """
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        # A wrong or unknown key explains a missing one: tell the cause first.
        problems.sort(key=lambda problem: problem["type"] == "missing")
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UserError(f"{name}: {_explain(problems[0])}{more}") from None


def check_pictures(params: Params) -> None:
    """Refuse a path where nothing is, also while it is not the source: DVC, whose dep it is,
    deletes the images that were made before it misses it. A device would keep it reading."""
    for name, images in (("digits", params.data.digits), ("photos", params.data.photos)):
        path = Path(images.path)
        try:
            there = path.is_dir() or path.is_file()
        except OSError:  # the name is too long for a file
            there = False
        if not there:
            found = f"data.{name}.path is {short(images.path)}"
            raise UserError(f"{found}, where no folder and no file is; make it, or name another")


def flatten(section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as flat names, as `-S` and MLflow write them.

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


def _explain(problem: Mapping[str, Any]) -> str:
    """One line about one of pydantic's errors."""
    location = problem["loc"]
    if problem["type"] == "invalid_key":  # not a text; pydantic's location has true as 1
        location = (*location[:-1], problem["input"])
    key = dotted(location) or "it"
    match problem["type"]:
        case "extra_forbidden" | "invalid_key":
            allowed = _keys_beside(location)
            close = difflib.get_close_matches(str(location[-1]), allowed, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            return f"{key} is not known; {hint}allowed: {', '.join(allowed)}"
        case "missing":
            return f"{key} is missing"
        case "model_type" | "model_attributes_type":
            allowed = _keys_beside((*location, ""))
            found = f"{key} is {short(problem['input'])}"
            return f"{found}; it should be a section with the keys {', '.join(allowed)}"
        case "value_error":
            return str(problem["ctx"]["error"])
        case "string_pattern_mismatch":
            return f"{key} is {short(problem['input'])}; allowed: one line of text, not empty"
        case _:
            expected = problem["msg"].removeprefix("Input should be ").removeprefix("a valid ")
            return f"{key} is {short(problem['input'])}; allowed: {expected}"


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """The keys that are allowed in the section where `location` points."""
    model: Any = Params
    for part in location[:-1]:
        model = model.model_fields[part].annotation
    return list(model.model_fields)
