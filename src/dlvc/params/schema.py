"""The sections of params.yaml: which keys they have, of which types, in which ranges."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]  # torch counts in 64 bits
LearningRate = Annotated[float, Field(gt=0)]
LearningRates = Annotated[list[LearningRate], Field(min_length=1, max_length=20)]
ImageSize = Annotated[int, Field(ge=32, le=1024)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
HowManySeeds = Annotated[int, Field(ge=1, le=100)]
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$")]


class Section(BaseModel):
    """A part of params.yaml: exactly these keys, of exactly these types, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Runtime(Section):
    """Where and how torch computes."""

    device: Literal["auto", "cpu", "cuda"]
    threads: Annotated[int, Field(ge=1, le=256)]
    processes: Annotated[int, Field(ge=1, le=64)]
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
    """The nine texture features of lecture 3, and in how many parts they are computed."""

    shards: Annotated[int, Field(ge=1, le=100_000)]
    workers: Annotated[int, Field(ge=1, le=256)]
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


class Seeds(Section):
    """What is trained several times, from other initial weights and in another order."""

    seed: Seed
    seeds: HowManySeeds

    @property
    def all_seeds(self) -> range:
        """`seed` and those that follow it."""
        return range(self.seed, self.seed + self.seeds)


class SeededTraining(Seeds, Training):
    """A training with seeds of its own."""


class PerSampleRule(SampleTraining):
    """Lecture 24c, from as many seeds. Its notebook has no loader: the images come as they lie in
    their file, in every epoch."""

    shuffle: bool
    seeds: HowManySeeds


class BatchRule(Training):
    """Lecture 24a or 24b, from as many seeds."""

    seeds: HowManySeeds


class UpdateRules(Section):
    """Lecture 24's three update rules, from the same initial weights.

    A seed of the cheap one takes seconds, and its first epochs are mostly chance: each rule has as
    many seeds as it can pay for.
    """

    seed: Seed
    per_epoch: BatchRule
    per_batch: BatchRule
    per_sample: PerSampleRule


class Rate(Section):
    """An optimizer with nothing but a learning rate."""

    learning_rate: LearningRate


class Momentum(Rate):
    """An optimizer with a learning rate and momentum."""

    momentum: Annotated[float, Field(ge=0, lt=1)]


class Optimizers(Seeds):
    """Lecture 25's three optimizers, from the same initial weights over the same batches."""

    epochs: Count
    batch_size: Count
    sgd: Rate
    momentum: Momentum
    adam: Rate


class DenseNet(SeededTraining):
    """Lecture 40's training."""

    image_size: ImageSize


class Exercise(Seeds):
    """One of the lectures' exercises, on as many of the training images (or on all).

    Those that take long are off in the default profile: they have no epochs.
    """

    images: Count
    epochs: Annotated[int, Field(ge=0, le=1_000_000_000)]


class PerceptronExercise(Exercise):
    """Lecture 5's perceptron at several rates."""

    learning_rates: LearningRates
    batch_size: Count


class PerSampleExercise(Exercise):
    """Lecture 24c's rule at several rates."""

    learning_rates: LearningRates


class TrainingExercise(Exercise):
    """A training batch by batch."""

    learning_rate: LearningRate
    batch_size: Count


class BatchSizeExercise(Exercise):
    """SGD and Adam at several batch sizes, and SGD at a rate of its own."""

    learning_rate: LearningRate
    sgd_learning_rate: LearningRate
    batch_sizes: Annotated[list[Count], Field(min_length=1, max_length=20)]


class SGDExercise(TrainingExercise):
    """Adam, and more epochs of SGD."""

    adam_epochs: Count


class MomentumExercise(TrainingExercise):
    """Momentum, and a rate that is larger by as much."""

    momentum: Annotated[float, Field(gt=0, lt=1)]


class ResNetExercise(TrainingExercise):
    """ResNet-18 under DenseNet's training."""

    image_size: ImageSize


class Claims(Section):
    """The exercises behind the lectures' claims."""

    perceptron: PerceptronExercise
    per_epoch: TrainingExercise
    per_sample: PerSampleExercise
    batch_sizes: BatchSizeExercise
    sgd: SGDExercise
    momentum: MomentumExercise
    lenet: TrainingExercise
    resnet: ResNetExercise


class Costs(Section):
    """What is counted."""

    image_size: Annotated[int, Field(ge=32, le=512)]
    batch_size: Count
    mlp_batch_size: Annotated[int, Field(ge=1, le=1000)]
    mlp_batches: Annotated[int, Field(ge=2, le=100)]
