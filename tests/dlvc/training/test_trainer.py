"""A training from several seeds is several trainings, each as if it were alone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dlvc.training import checkpoints
from dlvc.training.initialization import init_model
from dlvc.training.load import load_features, load_images
from dlvc.training.loop import fit
from dlvc.training.optimizers import SGD
from dlvc.training.runtime import Runtime
from dlvc.training.samples import Samples
from dlvc.training.trainer import Trainer

CPU = torch.device("cpu")
PLAIN = Runtime(CPU, torch.contiguous_format, None, compile=False)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Where checkpoints go."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def training():
    rng = np.random.default_rng(1)
    samples = [
        Samples.from_numpy(rng.random((n, 4), dtype=np.float32), rng.integers(0, 3, n), CPU)
        for n in (30, 10)
    ]
    return Trainer(
        partial(nn.Linear, 4, 3),
        F.cross_entropy,
        partial(SGD, learning_rate=0.1),
        *samples,
        epochs=3,
        batch_size=10,
        runtime=PLAIN,
    )


def curve_of(trained):
    return [(one.epoch, one.train_loss, one.test.loss) for one in trained]


def test_each_seed_gives_what_it_gives_alone(training):
    together = training.fit_seeds(range(5, 8), "some", {}, lambda *_: None)
    assert [one.seed for one in together] == [5, 6, 7]
    for one in together:
        model = init_model(partial(nn.Linear, 4, 3), one.seed)
        alone = fit(
            model, F.cross_entropy, SGD(model.parameters(), 0.1), training.train,
            training.test, epochs=3, batch_size=10,
            generator=torch.Generator().manual_seed(one.seed),
        )  # fmt: skip
        assert curve_of(one.curve) == curve_of(alone)
        assert torch.equal(one.model.weight, model.weight)
    assert len({one.curve[-1].train_loss for one in together}) == 3


def test_only_the_first_seed_is_logged(training):
    logged = []
    together = training.fit_seeds(range(2), "some", {}, lambda *values: logged.append(values))
    assert logged == [(result.metrics, result.epoch) for result in together[0].curve]


def test_the_initial_model_is_the_one_that_was_trained_before_it_was(training):
    (one,) = training.fit_seeds(range(4, 5), "some", {}, lambda *_: None)
    assert not torch.equal(training.init_model(4).weight, one.model.weight)
    assert torch.equal(
        training.init_model(4).weight, init_model(partial(nn.Linear, 4, 3), 4).weight
    )


def test_a_seed_that_was_ended_goes_on_where_it_was(training, monkeypatch, capsys):
    """Ended in the second of three: the first is not repeated, the second goes on."""
    monkeypatch.setattr(checkpoints, "AFTER_AN_EPOCH", 0)
    monkeypatch.setattr(checkpoints, "SHARE", 0)
    steps = []

    class EndedError(Exception):
        pass

    class Ending(SGD):
        def step(self):
            steps.append(1)
            if len(steps) == 3 * 3 + 3 + 1:  # the second's second epoch; three updates make one
                raise EndedError
            super().step()

    Ending.__name__ = SGD.__name__  # the rule is part of a checkpoint's name
    ending = replace(training, optimizer=partial(Ending, learning_rate=0.1))
    with pytest.raises(EndedError):
        ending.fit_seeds(range(3), "some", {}, lambda *_: None)
    steps.clear()
    again = replace(ending, optimizer=partial(Ending, learning_rate=0.1))
    steps += [1] * 100  # it does not end again
    found = again.fit_seeds(range(3), "some", {}, lambda *_: None)
    assert len(steps) - 100 == 2 * 3 + 3 * 3
    assert capsys.readouterr().err.count("resumes") == 2
    whole = training.fit_seeds(range(3), "whole", {}, lambda *_: None)
    assert [curve_of(one.curve) for one in found] == [curve_of(one.curve) for one in whole]


def test_images_and_features_are_loaded_as_they_are_kept(tmp_path):
    from dlvc.arrays.array_files import write_pickle
    from dlvc.arrays.dataset import Dataset, save_dataset

    rng = np.random.default_rng(2)
    arrays = [
        part
        for n in (20, 10)
        for part in (rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), np.arange(n) % 10)
    ]
    save_dataset(tmp_path / "images", Dataset("noise", None, tuple("abcdefghij"), *arrays))
    for samples, images, labels in zip(
        load_images(tmp_path / "images", CPU), arrays[::2], arrays[1::2], strict=True
    ):
        assert np.array_equal(samples.images.numpy(), images)
        assert np.array_equal(samples.labels.numpy(), labels)
    for part in ("train", "test"):
        write_pickle(tmp_path / f"{part}Feats.pkl", rng.random((5, 9)))
        write_pickle(tmp_path / f"{part}Label.pkl", np.arange(5))
    train, test = load_features(tmp_path, CPU)
    assert train.images.dtype == torch.float32
    assert (len(train), test.images.shape) == (5, (5, 9))
