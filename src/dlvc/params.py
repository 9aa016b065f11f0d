"""params.yaml as typed, frozen values; whoever mistypes is told in one line.

One class a section. An unknown key, a wrong type or a value out of range is a `UserError` that
names the key, the value and what is allowed, raised before anything is touched.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dlvc.errors import UserError

PARAMS_FILE = Path("params.yaml")

Count = Annotated[int, Field(ge=1)]
LearningRate = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Section(BaseModel):
    """A part of params.yaml: exactly these keys, of exactly these types, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Runtime(Section):
    """Where and with how many threads torch computes."""

    device: Literal["auto", "cpu", "cuda"]
    threads: Annotated[int, Field(ge=1, le=256)]


class BundledImages(Section):
    """How many images are made from those that scikit-learn and scikit-image bring along."""

    train: Annotated[int, Field(ge=10, multiple_of=10, le=100_000)]
    test: Annotated[int, Field(ge=10, multiple_of=10, le=100_000)]
    seed: Seed


class BundledDigits(BundledImages):
    """As for all; a test image is an original, and the smallest class has 174 of them."""

    test: Annotated[int, Field(ge=10, multiple_of=10, le=1000)]


class Digits(Section):
    """Where the digits come from."""

    source: Literal["bundled", "mnist", "folder"]
    path: Annotated[str, Field(min_length=1)]
    bundled: BundledDigits


class Photos(Section):
    """Where the photographs come from."""

    source: Literal["bundled", "cifar10", "folder"]
    path: Annotated[str, Field(min_length=1)]
    bundled: BundledImages


class Data(Section):
    """The two sets of images."""

    digits: Digits
    photos: Photos


class LBP(Section):
    """Local binary patterns (uniform)."""

    neighbours: Annotated[int, Field(ge=2, le=24)]
    radius: Annotated[float, Field(gt=0, le=15)]
    bins: Annotated[int, Field(ge=2, le=256)]


class GLCM(Section):
    """Gray-level co-occurrence (symmetric, normed)."""

    distance: Annotated[int, Field(ge=1, le=15)]
    angle: Annotated[float, Field(ge=-6.2832, le=6.2832)]
    levels: Literal[256]


class Gabor(Section):
    """Gabor filter (bandwidth of one octave)."""

    frequency: Annotated[float, Field(ge=0.05, le=1)]
    theta: Annotated[float, Field(ge=-6.2832, le=6.2832)]
    bins: Annotated[int, Field(ge=2, le=256)]


class Features(Section):
    """The nine texture features of lecture 3."""

    lbp: LBP
    glcm: GLCM
    gabor: Gabor


class Training(Section):
    """What every training has."""

    learning_rate: LearningRate
    epochs: Count
    batch_size: Count


class SeededTraining(Training):
    """A training with a seed of its own."""

    seed: Seed


class UpdateRules(Section):
    """Lecture 24's three update rules, from the same initial weights."""

    seed: Seed
    per_epoch: Training
    per_batch: Training
    per_sample: Training


class Rate(Section):
    """An optimizer with nothing but a learning rate."""

    learning_rate: LearningRate


class Momentum(Rate):
    """An optimizer with a learning rate and momentum."""

    momentum: Annotated[float, Field(ge=0, lt=1)]


class Optimizers(Section):
    """Lecture 25's three optimizers, from the same initial weights over the same batches."""

    seed: Seed
    epochs: Count
    batch_size: Count
    sgd: Rate
    momentum: Momentum
    adam: Rate


class DenseNet(SeededTraining):
    """Lecture 40's training."""

    image_size: Annotated[int, Field(ge=32, le=1024)]


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

    @model_validator(mode="after")
    def _batches_have_more_than_one(self) -> Params:
        # DenseNet's last block normalises over the batch alone when images are as small as 32 px.
        if self.densenet.batch_size == 1:
            raise ValueError("densenet.batch_size is 1: batch normalisation needs at least 2")
        return self


def read_yaml(path: Path) -> Any:
    """The content of a YAML file (version 1.2, duplicate keys refused)."""
    try:
        return YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except (YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = (getattr(error, "problem", None) or str(error)).splitlines()[0]
        raise UserError(f"{path}{where}: not valid YAML ({problem})") from None


def read_params(path: Path = PARAMS_FILE) -> Params:
    """The checked content of params.yaml."""
    return check_params(read_yaml(path), str(path))


def check_params(content: Any, name: str) -> Params:
    """`content` as `Params`; a `UserError` that begins with `name` says what is wrong with it.

    >>> check_params({"lenet": 3}, "params.yaml")
    Traceback (most recent call last):
    dlvc.errors.UserError: params.yaml: lenet is 3; it should be a section with the keys ...
    """
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        # A wrong or unknown key explains a missing one: tell the cause first.
        problems.sort(key=lambda problem: problem["type"] == "missing")
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UserError(f"{name}: {_explain(problems[0])}{more}") from None


def flatten(section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as flat names, as `-S` and MLflow write them.

    >>> flatten({"lenet": {"epochs": 3, "seed": 1}})
    {'lenet.epochs': 3, 'lenet.seed': 1}
    """
    flat: dict[str, Any] = {}
    for key, value in section.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _explain(problem: Mapping[str, Any]) -> str:
    """One line about one of pydantic's errors."""
    key = ".".join(str(part) for part in problem["loc"])
    match problem["type"]:
        case "extra_forbidden":
            allowed = _keys_beside(problem["loc"])
            close = difflib.get_close_matches(str(problem["loc"][-1]), allowed, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            return f"{key} is not known; {hint}allowed: {', '.join(allowed)}"
        case "missing":
            return f"{key} is missing"
        case "model_type" | "model_attributes_type":
            allowed = _keys_beside((*problem["loc"], ""))
            found = f"{key or 'it'} is {_short(problem['input'])}"
            return f"{found}; it should be a section with the keys {', '.join(allowed)}"
        case "value_error":
            return str(problem["ctx"]["error"])
        case _:
            expected = problem["msg"].removeprefix("Input should be ").removeprefix("a valid ")
            return f"{key} is {_short(problem['input'])}; allowed: {expected}"


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """The keys that are allowed in the section where `location` points."""
    model: Any = Params
    for part in location[:-1]:
        model = model.model_fields[part].annotation
    return list(model.model_fields)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
