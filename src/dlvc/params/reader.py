"""params.yaml as typed, immutable values.

`dlvc.params.schema` has one class per section. An unknown key, a wrong type or a value out of range
raises a `UserError`. Its one-line message names the key, the value and the allowed values. Callers
check the parameters before they change any file.
"""

from __future__ import annotations

import difflib
import os
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
from dvcview.errors import UserError, dotted, truncate
from dvcview.files.yaml_files import read_yaml
from dvcview.project.params import PARAMS_FILE, flatten, select


class Params(Section):
    """All sections of params.yaml."""

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
        """The values of the named sections or keys, by flat name as in dvc.yaml."""
        return select(flatten(self.model_dump()), *names)

    @model_validator(mode="after")
    def _check_batch_size(self) -> Params:
        # At 32 px the feature maps of DenseNet's last block have one pixel, so batch normalisation
        # averages over the images of the batch only.
        if self.densenet.batch_size == 1:
            raise ValueError("densenet.batch_size is 1: batch normalisation needs at least 2")
        return self

    @model_validator(mode="after")
    def _check_compile_and_processes(self) -> Params:
        if self.runtime.compile and self.runtime.processes > 1:
            found = f"runtime.processes is {self.runtime.processes} and runtime.compile is true"
            raise ValueError(f"{found}; set processes to 1 or compile to false")
        return self

    @model_validator(mode="after")
    def _check_portable(self) -> Params:
        if self.runtime.reproducible == "portable":
            if self.runtime.device == "cuda":
                raise ValueError(
                    "runtime.reproducible is portable, which a GPU is not; set runtime.device to "
                    "cpu or auto, or reproducible to machine"
                )
            if self.runtime.compile:
                raise ValueError(
                    "runtime.compile is true, which makes machine code for this processor; set it "
                    "to false, or runtime.reproducible to machine"
                )
        return self

    @model_validator(mode="after")
    def _check_paths_are_local(self) -> Params:
        # DVC would download from a URL and store the URL, with its password, in dvc.lock. `-S` uses
        # OmegaConf to change params.yaml. OmegaConf replaces ${...} by an environment variable, and
        # it treats ??? as a missing value.
        for name, images in (("digits", self.data.digits), ("photos", self.data.photos)):
            if "://" in images.path or "${" in images.path or images.path == "???":
                found = f"data.{name}.path is {truncate(images.path)}"
                raise ValueError(f"{found}; allowed: a local folder or .zip file, without ${{")
        return self


def read_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check params.yaml.

    Raises:
        UserError: the file cannot be read, is not valid YAML, or has a wrong key or value.
    """
    return check_params(read_yaml(path), str(path))


def check_params(content: Any, name: str) -> Params:
    """Check `content` and return it as `Params`.

    Raises:
        UserError: a key or value is wrong. The message begins with `name` and describes the first
            problem.

    >>> check_params({"lenet": 3}, "params.yaml")
    Traceback (most recent call last):
    dvcview.errors.UserError: params.yaml: lenet is 3; expected a section with the keys ...
    """
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        # A misspelt key also causes a missing key. Report the cause first.
        problems.sort(key=lambda problem: problem["type"] == "missing")
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UserError(f"{name}: {_explain(problems[0])}{more}") from None


def check_pictures(params: Params) -> None:
    """Check that DVC can read both image paths, even if `source` does not use them.

    The paths are deps of DVC stages. If one does not exist, DVC first deletes the existing images
    and then fails. A device does not count as a file, because DVC would read it without end.

    Raises:
        UserError: a path is neither a folder nor a regular file, or a name in it is not UTF-8.
    """
    for name, images in (("digits", params.data.digits), ("photos", params.data.photos)):
        path = Path(images.path)
        try:
            exists = path.is_dir() or path.is_file()
        except OSError:  # the name is too long
            exists = False
        if not exists:
            found = f"data.{name}.path is {truncate(images.path)}"
            hint = "create it or set another path"
            raise UserError(f"{found}, which is neither a folder nor a file; {hint}")
        for folder, folders, files in os.walk(path):
            for file in (*folders, *files):
                if not _is_utf8(file):
                    raise UserError(f"{folder}: the name {file!r} is not UTF-8; rename it")


def _is_utf8(name: str) -> bool:
    """Whether the bytes of a file's name are UTF-8; Python has surrogates for other bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _explain(problem: Mapping[str, Any]) -> str:
    """Describe one of pydantic's errors in one line."""
    location = problem["loc"]
    if problem["type"] == "invalid_key":  # the key is not text; pydantic reports the key true as 1
        location = (*location[:-1], problem["input"])
    key = dotted(location) or "the content"
    match problem["type"]:
        case "extra_forbidden" | "invalid_key":
            allowed = _allowed_keys(location)
            close = difflib.get_close_matches(str(location[-1]), allowed, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            return f"unknown key {key}; {hint}allowed: {', '.join(allowed)}"
        case "missing":
            return f"{key} is missing"
        case "model_type" | "model_attributes_type":
            allowed = _allowed_keys((*location, ""))
            found = f"{key} is {truncate(problem['input'])}"
            return f"{found}; expected a section with the keys {', '.join(allowed)}"
        case "value_error":
            return str(problem["ctx"]["error"])
        case "string_pattern_mismatch":
            return f"{key} is {truncate(problem['input'])}; allowed: one non-empty line of text"
        case _:
            expected = problem["msg"].removeprefix("Input should be ").removeprefix("a valid ")
            return f"{key} is {truncate(problem['input'])}; allowed: {expected}"


def _allowed_keys(location: tuple[int | str, ...]) -> list[str]:
    """The keys that are allowed in the section that contains the key at `location`."""
    model: Any = Params
    for part in location[:-1]:
        model = model.model_fields[part].annotation
    return list(model.model_fields)
