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

from dlvc.artifacts import read_yaml
from dlvc.errors import UserError, dotted, short

PARAMS_FILE = Path("params.yaml")

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]  # torch counts in 64 bits
LearningRate = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$")]


class Section(BaseModel):
    """A part of params.yaml: exactly these keys, of exactly these types, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Runtime(Section):
    """Where and how torch computes."""

    device: Literal["auto", "cpu", "cuda"]
    threads: Annotated[int, Field(ge=1, le=256)]
    precision: Literal["float32", "bfloat16"]
    memory_format: Literal["channels_last", "contiguous"]
    compile: bool
    reproducible: Literal["machine", "portable"]


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
    path: Line
    bundled: BundledDigits


class Photos(Section):
    """Where the photographs come from."""

    source: Literal["bundled", "cifar10", "folder"]
    path: Line
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


class SampleTraining(Section):
    """A training image by image."""

    learning_rate: LearningRate
    epochs: Count


class Training(SampleTraining):
    """A training batch by batch."""

    batch_size: Count


class SeededTraining(Training):
    """A training with a seed of its own."""

    seed: Seed


class UpdateRules(Section):
    """Lecture 24's three update rules, from the same initial weights."""

    seed: Seed
    per_epoch: Training
    per_batch: Training
    per_sample: SampleTraining


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
