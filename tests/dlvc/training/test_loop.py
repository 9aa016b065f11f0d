"""The loop, held to autograd on the whole set, to torch's optimizers and to finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dlvc.data.bundled import bundled_digits
from dlvc.models.mlp.network import MLP
from dlvc.training import evaluation
from dlvc.training.evaluation import evaluate_batches, evaluation_state
from dlvc.training.initialization import init_model
from dlvc.training.loop import fit
from dlvc.training.metrics import Evaluation, confusion_matrix
from dlvc.training.optimizers import SGD
from dlvc.training.samples import EpochState, Samples
from dvcview.errors import UserError

N, FEATURES, CLASSES = 23, 5, 3


def small_model(seed: int = 1) -> nn.Module:
    return init_model(
        lambda: nn.Sequential(nn.Linear(FEATURES, 4), nn.Tanh(), nn.Linear(4, CLASSES)).double(),
        seed,
    )


@pytest.fixture
def samples() -> Samples:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(N, FEATURES, generator=generator, dtype=torch.float64)
    return Samples(images, torch.randint(CLASSES, (N,), generator=generator))


def batches(samples: Samples, batch_size: int, seed: int = 3) -> list[torch.Tensor]:
    """The samples' numbers, batch by batch, in the order that `fit` draws first."""
    shuffled = EpochState.shuffled(samples, batch_size, torch.Generator().manual_seed(seed))
    return [shuffled.indices[shuffled.batch(number)] for number in range(shuffled.batches)]


def evaluate(model: nn.Module, samples: Samples) -> Evaluation:
    testing = evaluation_state(samples)
    for _ in evaluate_batches(model, F.cross_entropy, samples, testing):
        pass
    return Evaluation.from_state(testing, samples)


def weights(model: nn.Module) -> np.ndarray:
    return torch.cat([p.detach().flatten() for p in model.parameters()]).numpy()


def run(model, samples, *, batch_size, epochs=1, accumulate=False, optimizer=None, seed=3):
    optimizer = optimizer or SGD(model.parameters(), learning_rate=0.5)
    return list(
        fit(
            model,
            F.cross_entropy,
            optimizer,
            samples,
            samples,
            epochs=epochs,
            batch_size=batch_size,
            generator=torch.Generator().manual_seed(seed),
            accumulate=accumulate,
        )
    )


@pytest.mark.parametrize("shuffle", [True, False])
def test_the_samples_pass_in_another_order_every_epoch_or_always_as_they_stand(samples, shuffle):
    orders = []

    def note(_model, _loss, _optimizer, _samples, training, **_how):
        orders.append(training.indices.tolist())
        training.batch_index = training.batches
        yield

    model = small_model()
    steps = fit(
        model, F.cross_entropy, SGD(model.parameters(), 0.1), samples, samples,
        epochs=2, batch_size=4, generator=torch.Generator().manual_seed(1), shuffle=shuffle,
        one_epoch=note,
    )  # fmt: skip
    list(steps)
    assert [sorted(order) for order in orders] == [list(range(N))] * 2
    assert (orders[0] != orders[1] != list(range(N))) == shuffle


@pytest.mark.parametrize("batch_size", [1, 4, 10, N])
def test_one_update_an_epoch_is_the_gradient_of_the_mean_of_the_batch_means(samples, batch_size):
    """As the notebooks of lectures 5 and 24a have it: add up, divide, go back once."""
    model, reference = small_model(), small_model()
    order = batches(samples, batch_size)
    losses = [F.cross_entropy(reference(samples.images[i]), samples.labels[i]) for i in order]
    (sum(losses) / len(losses)).backward()
    with torch.no_grad():
        for p in reference.parameters():
            p.sub_(0.5 * p.grad)

    (epoch,) = run(model, samples, batch_size=batch_size, accumulate=True)

    assert epoch.updates == 1
    np.testing.assert_allclose(weights(model), weights(reference), rtol=0, atol=1e-14)


def test_an_mlps_gradient_of_an_epoch_is_the_notebooks():
    """The notebook goes back once through the graphs of all batches; we hold one batch's."""
    digits = bundled_digits(train=1000, test=10, seed=1)
    whole = Samples.from_numpy(digits.train_images, digits.train_labels, torch.device("cpu"))
    model, reference = init_model(MLP, seed=1), init_model(MLP, seed=1)
    order = batches(whole, 100)
    total = sum(F.cross_entropy(reference(whole.images[i]), whole.labels[i]) for i in order)
    (total / len(order)).backward()

    class Keep(SGD):
        def step(self):
            self.gradients = [w.grad for w in self.parameters]

    for batch_size in (100, 500):  # one sum, however it is cut
        keep = Keep(model.parameters(), 0.1)
        run(model, whole, batch_size=batch_size, accumulate=True, optimizer=keep)
        for g, w in zip(keep.gradients, reference.parameters(), strict=True):
            torch.testing.assert_close(g, w.grad, rtol=0, atol=1e-6)


def test_with_equal_batches_one_update_an_epoch_is_one_step_on_the_whole_set(samples):
    whole = Samples(samples.images[:20], samples.labels[:20])
    model, reference = small_model(), small_model()
    F.cross_entropy(reference(whole.images), whole.labels).backward()
    torch.optim.SGD(reference.parameters(), lr=0.5).step()
    run(model, whole, batch_size=5, accumulate=True)
    np.testing.assert_allclose(weights(model), weights(reference), rtol=0, atol=1e-14)


def test_a_step_goes_down_the_slope_that_finite_differences_find(samples):
    model = small_model()
    start = torch.tensor(weights(model))

    def loss_at(point: torch.Tensor) -> float:
        nn.utils.vector_to_parameters(point, model.parameters())
        with torch.no_grad():
            return F.cross_entropy(model(samples.images), samples.labels).item()

    h = 1e-6
    slope = np.array(
        [
            (loss_at(start + h * unit) - loss_at(start - h * unit)) / (2 * h)
            for unit in torch.eye(len(start), dtype=torch.float64)
        ]
    )
    nn.utils.vector_to_parameters(start.clone(), model.parameters())  # it keeps views
    run(model, samples, batch_size=N)
    np.testing.assert_allclose(weights(model), start.numpy() - 0.5 * slope, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("batch_size", "updates"), [(1, 3 * 23), (10, 3 * 3), (23, 3)])
def test_updates_are_counted_and_made_after_every_batch(samples, batch_size, updates):
    model, reference = small_model(), small_model()
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.5)
    generator = torch.Generator().manual_seed(3)
    for _ in range(3):
        for i in torch.randperm(N, generator=generator).split(batch_size):
            optimizer.zero_grad()
            F.cross_entropy(reference(samples.images[i]), samples.labels[i]).backward()
            optimizer.step()

    curve = run(model, samples, batch_size=batch_size, epochs=3)

    assert curve[-1].updates == updates
    np.testing.assert_allclose(weights(model), weights(reference), rtol=0, atol=1e-13)


def test_the_train_loss_is_the_mean_over_samples_though_the_last_batch_is_smaller(samples):
    frozen = SGD([], learning_rate=1.0)
    model = small_model()
    (epoch,) = run(model, samples, batch_size=10, optimizer=frozen)
    with torch.no_grad():
        outputs = model(samples.images)
        mean = F.cross_entropy(outputs, samples.labels).item()
        right = (outputs.argmax(1) == samples.labels).double().mean().item()
    assert epoch.train_loss == pytest.approx(mean, rel=1e-6)  # batch losses are kept in float32
    assert epoch.train_accuracy == right
    assert epoch.test.loss == pytest.approx(mean, rel=1e-6)
    assert epoch.test.accuracy == right


def test_the_lectures_scale_is_the_sum_of_batch_means_over_the_number_of_samples(samples):
    (epoch,) = run(small_model(), samples, batch_size=10)
    assert epoch.batch_losses.shape == (3,)
    assert epoch.train_loss_lecture_scale == pytest.approx(float(epoch.batch_losses.sum()) / N)


def test_every_sample_is_seen_once_an_epoch_in_an_order_that_the_generator_draws(samples):
    order = batches(samples, 4)
    assert [len(chosen) for chosen in order] == [4, 4, 4, 4, 4, 3]
    assert sorted(torch.cat(order).tolist()) == list(range(N))
    assert torch.equal(torch.cat(order), torch.cat(batches(samples, 4)))
    assert not torch.equal(torch.cat(order), torch.cat(batches(samples, 4, seed=4)))


def test_an_evaluation_changes_neither_the_weights_nor_the_running_statistics(samples):
    model = nn.Sequential(nn.Linear(FEATURES, 4), nn.BatchNorm1d(4), nn.Linear(4, CLASSES)).double()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    evaluate(model, samples)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_an_evaluation_in_pieces_is_the_evaluation_of_the_whole(samples, monkeypatch):
    model = small_model()
    whole = evaluate(model, samples)
    monkeypatch.setattr(evaluation, "EVALUATION_BATCH_SIZE", 4)
    pieces = evaluate(model, samples)
    assert pieces.loss == pytest.approx(whole.loss, rel=1e-6)  # batch losses are kept in float32
    assert np.array_equal(pieces.confusion, whole.confusion)


def test_an_evaluation_says_which_class_is_taken_for_which(samples):
    model = small_model()
    found = evaluate(model, samples)
    predicted = model(samples.images).argmax(1)
    assert np.array_equal(found.confusion, confusion_matrix(samples.labels, predicted, CLASSES))
    assert np.trace(found.confusion) / N == found.accuracy
    assert np.array_equal(found.correct, samples.labels == predicted)


def test_the_same_seed_gives_the_same_bits(samples):
    first, again, other = small_model(), small_model(), small_model()
    run(first, samples, batch_size=4, epochs=2)
    run(again, samples, batch_size=4, epochs=2)
    run(other, samples, batch_size=4, epochs=2, seed=4)
    assert np.array_equal(weights(first), weights(again))
    assert not np.array_equal(weights(first), weights(other))


@pytest.mark.parametrize(
    ("bad_batch", "accumulate", "update"), [(0, False, 1), (2, False, 3), (2, True, 1)]
)
def test_a_loss_that_is_not_a_number_stops_and_says_where(samples, bad_batch, accumulate, update):
    calls = iter(range(1000))

    def loss(outputs, labels):
        factor = float("nan") if next(calls) == bad_batch else 1.0
        return factor * F.cross_entropy(outputs, labels)

    model = small_model()
    training = fit(
        model,
        loss,
        SGD(model.parameters(), 0.1),
        samples,
        samples,
        epochs=2,
        batch_size=5,
        generator=torch.Generator(),
        accumulate=accumulate,
    )
    with pytest.raises(UserError, match=f"the loss is nan at epoch 1, update {update};"):
        list(training)
