"""The sections of params.yaml: their keys, and the type and range of each value."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]  # torch counts with 64-bit integers
LearningRate = Annotated[float, Field(gt=0)]
LearningRates = Annotated[list[LearningRate], Field(min_length=1, max_length=20)]
ImageSize = Annotated[int, Field(ge=32, le=1024)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
SeedCount = Annotated[int, Field(ge=1, le=100)]
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$")]


class Section(BaseModel):
    """A section of params.yaml: it has exactly these keys and types, and it is immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Runtime(Section):
    """The device, the number of processes and the arithmetic that torch uses."""

    device: Literal["auto", "cpu", "cuda"]
    threads: Annotated[int, Field(ge=1, le=256)]
    processes: Annotated[int, Field(ge=1, le=64)]
    precision: Literal["float32", "bfloat16"]
    memory_format: Literal["channels_last", "contiguous"]
    compile: bool
    reproducible: Literal["machine", "portable"]


class BundledImages(Section):
    """The number of images that are made from those bundled with scikit-learn and scikit-image."""

    train: Annotated[int, Field(ge=10, multiple_of=10, le=100_000)]
    test: Annotated[int, Field(ge=10, multiple_of=10, le=100_000)]
    seed: Seed


class BundledDigits(BundledImages):
    """As `BundledImages`, with at most 1,000 test images.

    The test images are unaltered originals, and the smallest class has only 174 of them.
    """

    test: Annotated[int, Field(ge=10, multiple_of=10, le=1000)]


class Digits(Section):
    """The source of the digits."""

    source: Literal["bundled", "mnist", "folder"]
    path: Line
    bundled: BundledDigits


class Photos(Section):
    """The source of the photographs."""

    source: Literal["bundled", "cifar10", "folder"]
    path: Line
    bundled: BundledImages


class Data(Section):
    """The two image data sets."""

    digits: Digits
    photos: Photos


class LBP(Section):
    """Settings of the uniform local binary patterns."""

    neighbours: Annotated[int, Field(ge=2, le=24)]
    radius: Annotated[float, Field(gt=0, le=15)]
    bins: Annotated[int, Field(ge=2, le=256)]


class GLCM(Section):
    """Settings of the symmetric, normalised gray-level co-occurrence matrix."""

    distance: Annotated[int, Field(ge=1, le=15)]
    angle: Annotated[float, Field(ge=-6.2832, le=6.2832)]
    levels: Literal[256]


class Gabor(Section):
    """Settings of the Gabor filter, whose bandwidth is one octave."""

    frequency: Annotated[float, Field(ge=0.05, le=1)]
    theta: Annotated[float, Field(ge=-6.2832, le=6.2832)]
    bins: Annotated[int, Field(ge=2, le=256)]


class Features(Section):
    """Settings of lecture 3's nine texture features, and how their computation is split."""

    shards: Annotated[int, Field(ge=1, le=100_000)]
    workers: Annotated[int, Field(ge=1, le=256)]
    lbp: LBP
    glcm: GLCM
    gabor: Gabor


class SampleTraining(Section):
    """A training with one update per image."""

    learning_rate: LearningRate
    epochs: Count


class BatchTraining(SampleTraining):
    """A training in batches of `batch_size` images."""

    batch_size: Count


class Seeds(Section):
    """A training that is repeated with several seeds.

    A seed sets the initial weights and the order of the images.
    """

    seed: Seed
    seeds: SeedCount


class SeededTraining(Seeds, BatchTraining):
    """A training in batches, with its own seeds."""


class PerSampleRule(SampleTraining):
    """Lecture 24c's update rule, repeated with `seeds` seeds.

    The lecture's notebook has no loader: in every epoch it uses the order of the images' file.
    """

    shuffle: bool
    seeds: SeedCount


class BatchRule(BatchTraining):
    """Lecture 24a's or 24b's update rule, repeated with `seeds` seeds."""

    seeds: SeedCount


class UpdateRules(Section):
    """Lecture 24's three update rules, which start from the same initial weights.

    Deviation: the lecture's three notebooks train three networks, each from random weights of its
    own. With the same weights for the same seed, only the rules differ.

    Each rule has its own number of seeds. A training with one update per epoch takes only seconds,
    and its first epochs depend mostly on chance, so it can have more seeds than the others.
    """

    seed: Seed
    per_epoch: BatchRule
    per_batch: BatchRule
    per_sample: PerSampleRule


class SGDSettings(Section):
    """The settings of SGD or Adam: the learning rate."""

    learning_rate: LearningRate


class MomentumSettings(SGDSettings):
    """The settings of SGD with momentum."""

    momentum: Annotated[float, Field(ge=0, lt=1)]


class Optimizers(Seeds):
    """Lecture 25's three optimizers, which use the same initial weights and the same batches.

    Deviation: the lecture's three networks use the same batches, but each starts from random
    weights of its own.
    """

    epochs: Count
    batch_size: Count
    sgd: SGDSettings
    momentum: MomentumSettings
    adam: SGDSettings


class DenseNet(SeededTraining):
    """Lecture 40's training."""

    image_size: ImageSize
    initialisation: Literal["lecture", "torchvision"]


class Exercise(Seeds):
    """One of the lectures' exercises.

    It uses `images` training images, or all of them if there are fewer. An exercise with 0 epochs
    is off. The default profile turns off the exercises that take long.
    """

    images: Count
    epochs: Annotated[int, Field(ge=0, le=1_000_000_000)]


class PerceptronExercise(Exercise):
    """Lecture 5's perceptron at several learning rates."""

    learning_rates: LearningRates
    batch_size: Count


class PerSampleExercise(Exercise):
    """Lecture 24c's update rule at several learning rates, with the images in their order."""

    learning_rates: LearningRates


class TrainingExercise(Exercise):
    """An exercise that trains in batches of `batch_size` images."""

    learning_rate: LearningRate
    batch_size: Count


class BatchSizeExercise(Exercise):
    """SGD and Adam at several batch sizes, each at learning rates of its own."""

    sgd_learning_rates: LearningRates
    adam_learning_rates: LearningRates
    batch_sizes: Annotated[list[Count], Field(min_length=1, max_length=20)]


class SGDExercise(TrainingExercise):
    """Adam for `adam_epochs` epochs, and SGD for `epochs` epochs."""

    adam_epochs: Count


class MomentumExercise(TrainingExercise):
    """SGD, SGD with momentum, and SGD at a learning rate 1 / (1 - momentum) times as large."""

    momentum: Annotated[float, Field(gt=0, lt=1)]


class LeNetSGDExercise(Exercise):
    """LeNet trained with Adam and with SGD, each at several learning rates."""

    adam_learning_rates: LearningRates
    sgd_learning_rates: LearningRates
    batch_size: Count


class ResNetExercise(TrainingExercise):
    """ResNet-18, trained with the same method as DenseNet."""

    image_size: ImageSize


class Claims(Section):
    """The exercises that the lectures' claims need."""

    perceptron: PerceptronExercise
    per_epoch: TrainingExercise
    per_sample: PerSampleExercise
    batch_sizes: BatchSizeExercise
    sgd: SGDExercise
    momentum: MomentumExercise
    lenet: TrainingExercise
    lenet_sgd: LeNetSGDExercise
    resnet: ResNetExercise


class Costs(Section):
    """The sizes at which the stage `costs` counts operations and memory."""

    image_size: Annotated[int, Field(ge=32, le=512)]
    batch_size: Count
    mlp_batch_size: Annotated[int, Field(ge=1, le=1000)]
    mlp_batches: Annotated[int, Field(ge=2, le=100)]
