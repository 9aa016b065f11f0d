"""What exercises have in common, and what each of them trains."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dlvc.exercises import (
    batch_sizes,
    lenet,
    lenet_sgd,
    momentum,
    per_epoch,
    per_sample,
    perceptron,
    resnet,
    sgd,
)
from dlvc.exercises.trainings import Trainings, subset
from dlvc.models.mlp.network import MLP
from dlvc.params.schema import (
    BatchSizeExercise,
    LeNetSGDExercise,
    MomentumExercise,
    PerceptronExercise,
    PerSampleExercise,
    ResNetExercise,
    SGDExercise,
    TrainingExercise,
)
from dlvc.training.initialization import init_model
from dlvc.training.loop import fit
from dlvc.training.optimizers import SGD
from dlvc.training.runtime import Runtime
from dlvc.training.samples import Samples

CPU = torch.device("cpu")
PLAIN = Runtime(CPU, torch.contiguous_format, None, compile=False)
SHARED = {"images": 40, "seed": 3, "seeds": 1}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def trainings_on(*shape, dtype=np.uint8, seeds=range(3, 4)):
    rng = np.random.default_rng(1)
    samples = [
        Samples.from_numpy((rng.random((n, *shape)) * 255).astype(dtype), np.arange(n) % 10, CPU)
        for n in (40, 20)
    ]
    return Trainings("claims@some", {}, seeds, PLAIN, *samples, classes=10)


@pytest.fixture
def digits():
    return trainings_on(28, 28)


def epochs_by_training(trainings):
    return {
        name: max(row["epoch"] for row in trainings.rows if row["training"] == name)
        for name in dict.fromkeys(row["training"] for row in trainings.rows)
    }


def test_per_batch_gets_as_many_updates_as_per_epoch(digits):
    """40 images in batches of 10: 4 updates an epoch, so 8 epochs of one are 2 of the other."""
    settings = TrainingExercise(**SHARED, epochs=8, learning_rate=0.1, batch_size=10)
    per_epoch.train(settings, digits)
    assert epochs_by_training(digits) == {"per batch": 2, "per epoch": 8}
    last = {row["training"]: row["updates"] for row in digits.rows}
    assert last == {"per batch": 8, "per epoch": 8}


def test_per_sample_trains_at_every_rate(digits):
    settings = PerSampleExercise(**SHARED, epochs=1, learning_rates=[0.01, 0.1])
    per_sample.train(settings, digits)
    assert epochs_by_training(digits) == {"rate 0.01": 1, "rate 0.1": 1}
    assert {row["updates"] for row in digits.rows} == {40}


def test_per_sample_uses_the_images_in_their_order(digits):
    settings = PerSampleExercise(**SHARED, epochs=1, learning_rates=[0.01])
    per_sample.train(settings, digits)
    model = init_model(MLP, seed=3)
    (expected,) = fit(
        model, F.cross_entropy, SGD(model.parameters(), 0.01), digits.train, digits.test,
        epochs=1, batch_size=1, generator=torch.Generator(), shuffle=False,
    )  # fmt: skip
    assert digits.rows[0]["train_loss"] == pytest.approx(expected.train_loss, rel=1e-5)


def test_both_optimizers_have_rates_of_their_own_at_every_batch_size(digits):
    settings = BatchSizeExercise(
        **SHARED, epochs=2, batch_sizes=[10, 16],
        sgd_learning_rates=[1e-4, 0.01], adam_learning_rates=[1e-4],
    )  # fmt: skip
    batch_sizes.train(settings, digits)
    each = [
        (f"SGD {size}, rate 0.0001", f"SGD {size}, rate 0.01", f"Adam {size}, rate 0.0001")
        for size in (10, 16)
    ]
    assert epochs_by_training(digits) == dict.fromkeys(sum(each, ()), 2)
    last = {row["training"]: row["train_loss"] for row in digits.rows}
    assert last["SGD 10, rate 0.01"] < last["SGD 10, rate 0.0001"]  # a hundred times the step
    assert last["Adam 10, rate 0.0001"] < last["SGD 10, rate 0.0001"]
    of_one = [row for row in digits.rows if row["training"] == "SGD 16, rate 0.01"]
    assert [row["updates"] for row in of_one] == [3, 6]


def test_sgd_gets_more_epochs_than_adam(digits):
    settings = SGDExercise(**SHARED, epochs=4, adam_epochs=2, learning_rate=1e-4, batch_size=20)
    sgd.train(settings, digits)
    assert epochs_by_training(digits) == {"Adam": 2, "SGD": 4}


def test_the_larger_rate_is_the_one_that_momentum_comes_to(digits):
    """Without noise, after enough steps, both move as far: their losses come close."""
    settings = MomentumExercise(
        **SHARED, epochs=30, learning_rate=1e-4, batch_size=40, momentum=0.9
    )
    momentum.train(settings, digits)
    last = {row["training"]: row["train_loss"] for row in digits.rows}
    fell = {name: digits.rows[0]["train_loss"] - loss for name, loss in last.items()}
    assert 5 * fell["SGD"] < fell["momentum"] < fell["larger rate"] < 2 * fell["momentum"]


def test_a_perceptron_is_trained_at_every_rate():
    features = trainings_on(9, dtype=np.float32)
    settings = PerceptronExercise(**SHARED, epochs=2, learning_rates=[0.001, 10], batch_size=40)
    perceptron.train(settings, features)
    assert epochs_by_training(features) == {"rate 0.001": 2, "rate 10": 2}


def test_lenet_keeps_its_kernels_from_before_and_after(digits):
    digits.seeds = range(3, 5)
    settings = TrainingExercise(**SHARED, epochs=1, learning_rate=0.01, batch_size=20)
    lenet.train(settings, digits)
    kernels = digits.arrays["conv1"]
    assert kernels.shape == (2, 2, 6, 5, 5)
    assert not np.array_equal(kernels[:, 0], kernels[:, 1])
    assert not np.array_equal(kernels[0, 0], kernels[1, 0])


@pytest.mark.parametrize(
    ("exercise", "settings", "names"),
    [
        (lenet_sgd, partial(LeNetSGDExercise, batch_size=10), ("Adam", "SGD")),
        (batch_sizes, partial(BatchSizeExercise, batch_sizes=[10]), ("Adam 10", "SGD 10")),
    ],
)
def test_other_seeds_use_the_best_rate_of_the_first(digits, exercise, settings, names):
    digits.seeds = range(3, 6)
    rates = {"adam_learning_rates": [1e-9, 0.003, 1e30], "sgd_learning_rates": [1e-9, 0.3]}
    exercise.train(settings(**SHARED, epochs=2, **rates), digits)
    seeds, last = {}, {}
    for row in digits.rows:
        name = row["training"]
        seeds.setdefault(name, set()).add(row["seed"])
        if row["epoch"] == 2 and row["seed"] == 3:
            last[name] = row["test_accuracy"]
    for name in names:
        assert last.keys() >= {f"{name}, rate 1e-09"}
        of = [one for one in last if one.startswith(name)]
        assert len(of) == 2  # Adam's largest rate diverges
        best = max(of, key=last.get)
        assert {one: len(seeds[one]) for one in of} == {one: 3 if one == best else 1 for one in of}


def test_an_optimizer_that_diverges_at_every_rate_has_no_best_one(digits):
    digits.seeds = range(3, 5)
    settings = LeNetSGDExercise(
        **SHARED, epochs=2, batch_size=10, adam_learning_rates=[1e-4], sgd_learning_rates=[1e30]
    )
    lenet_sgd.train(settings, digits)
    assert digits.diverged == [{"training": "SGD, rate 1e+30", "seed": 3}]
    assert {row["seed"] for row in digits.rows if row["training"] == "Adam, rate 0.0001"} == {3, 4}


def test_resnet_is_trained_on_photographs():
    photos = trainings_on(32, 32, 3)
    settings = ResNetExercise(**SHARED, epochs=1, learning_rate=1e-4, batch_size=20, image_size=32)
    resnet.train(settings, photos)
    assert epochs_by_training(photos) == {"ResNet-18": 1}


def test_a_training_that_diverges_is_told_and_the_others_go_on(digits):
    settings = BatchSizeExercise(
        **SHARED, epochs=3, batch_sizes=[10],
        sgd_learning_rates=[1e30, 0.01], adam_learning_rates=[1e-4],
    )  # fmt: skip
    batch_sizes.train(settings, digits)
    assert digits.diverged == [{"training": "SGD 10, rate 1e+30", "seed": 3}]
    assert epochs_by_training(digits).keys() >= {"SGD 10, rate 0.01", "Adam 10, rate 0.0001"}
    finite = [row["train_loss"] for row in digits.rows]
    assert np.isfinite(finite).all()


def test_some_images_are_drawn_by_the_seed_and_none_twice():
    samples = Samples(torch.arange(100), torch.arange(100))
    ten, again, other = (subset(samples, 10, seed) for seed in (1, 1, 2))
    assert len(set(ten.labels.tolist())) == 10
    assert torch.equal(ten.images, again.images)
    assert not torch.equal(ten.images, other.images)
    assert torch.equal(ten.images, ten.labels)
    assert subset(samples, 100, 1) is samples
