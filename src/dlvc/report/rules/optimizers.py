"""Rules for the claims of lecture 25."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dlvc.evidence.curves import Curves, Numbers
from dlvc.evidence.outs import MNIST_IMAGES, Evidence
from dlvc.report.rules.perceptron import too_short
from dlvc.report.statistics import above, percent, points, printed_curve
from dlvc.report.verdict import OFF, Part, Verdict

NAMES = {"adam": "Adam", "momentum": "momentum", "sgd": "SGD"}
CLOSE = 0.005  # of accuracy
NOT_TRAINED = "no rate is left at which both optimizers were trained from every seed"


def order(evidence: Evidence) -> Verdict:
    """25-1: Adam is above momentum, and momentum is above SGD.

    In the lecture, each network has initial weights of its own. Here, the same seed gives the same
    weights. A seed of one optimizer is therefore compared with the next seed of the other.
    """
    curves = {name: evidence.curves(f"optimizers@{name}") for name in NAMES}
    parts = []
    for better, worse in (("adam", "momentum"), ("momentum", "sgd")):
        for epoch in (1, 10):
            after = f"after {epoch} epoch" + "s" * (epoch > 1)
            statement = f"{NAMES[better]} is above {NAMES[worse]} {after}"
            epochs = min(curves[better].epochs, curves[worse].epochs)
            if epochs < epoch:
                parts.append(Part(statement, None, too_short(epochs)))
                continue
            ahead, behind = (curves[name].at("test_accuracy", epoch) for name in (better, worse))
            difference = ahead - np.roll(behind, -1)
            parts.append(above(statement, difference, 0, points, "the difference"))
    for name, of_stage in curves.items():
        for metric, what in (("train_loss", "training losses"), ("test_accuracy", "accuracies")):
            statement = f"the {what} of {NAMES[name]} are the printed ones"
            printed, comparable = evidence.printed[f"optimizers@{name}"], evidence.has_mnist
            parts.append(printed_curve(statement, of_stage, metric, printed, comparable=comparable))
    return Verdict(tuple(parts), tuple(of_stage.file for of_stage in curves.values()))


def thousand_epochs(evidence: Evidence) -> Verdict:
    """25-2: SGD needs about a thousand epochs to reach what Adam reaches in ten."""
    curves = _long_trainings(evidence)
    statement = "SGD needs about a thousand epochs for what Adam reaches in ten"
    if curves is None:
        exercise = evidence.exercise("sgd")
        found = OFF if not exercise.epochs else "it needs 1,000 epochs on MNIST's 60,000 images"
        return Verdict((Part(statement, None, found),), (exercise.file,))
    goal = _accuracy(curves.of("Adam"))[10]
    sgd = _accuracy(curves.of("SGD"))
    reached = [epoch for epoch, accuracy in sgd.items() if epoch <= 1000 and accuracy >= goal]
    aim = f"Adam reaches {goal:.2%} after ten epochs"
    if not reached:
        missing = goal - sgd[1000]
        found = f"{aim}; SGD reaches {sgd[1000]:.2%} after 1,000, {100 * missing:.2f} points less"
        return Verdict((Part(statement, missing <= CLOSE, found),), (curves.file,))
    # The run on a GPU has every hundredth epoch: SGD may have got there before the first of these.
    latest = reached[0]
    earliest = max((epoch for epoch in sgd if epoch < latest), default=0) + 1
    holds = True if earliest >= 300 else False if latest < 300 else None
    needed = f"{latest:,}" if earliest == latest else f"{earliest:,} to {latest:,}"
    found = f"{aim}; SGD reaches this after {needed} epochs"
    part = Part(statement, holds, found, is_undecided=holds is None)
    return Verdict((part,), (curves.file,))


def small_batches(evidence: Evidence) -> Verdict:
    """25-3: with batches of 10 to 16 images, SGD works better than Adam."""
    curves = evidence.exercise("batch_sizes")
    ahead, found = {}, {}
    for size in (10, 16, 100):
        by_sgd, by_adam = (_at_best_rate(evidence, f"{name} {size}") for name in ("SGD", "Adam"))
        if by_sgd is not None and by_adam is not None:
            ahead[size] = by_sgd[1] - by_adam[1]
            found[size] = f"SGD's rate is {by_sgd[0]} and Adam's {by_adam[0]}"
    parts = []
    for size in (10, 16):
        better = f"SGD works better than Adam with batches of {size}"
        matter = f"SGD's lead is larger with batches of {size} than with batches of 100"
        if not curves.epochs:
            parts.append(Part(better, None, OFF))
        elif size not in ahead:
            parts.append(Part(better, None, NOT_TRAINED))
        elif not len(ahead[size]):
            parts.append(Part(better, None, "the only seed chooses the rates, and none can judge"))
        else:
            part = above(better, ahead[size], 0, points, "SGD's lead")
            parts.append(replace(part, found=f"{part.found}; {found[size]}"))
            if 100 in ahead:
                more = ahead[size] - ahead[100]
                parts.append(above(matter, more, 0, points, "the difference of the leads"))
    return Verdict(tuple(parts), (curves.file,))


def momentum_or_rate(evidence: Evidence) -> Verdict:
    """25-4: momentum helps SGD more than a larger learning rate does."""
    curves = evidence.exercise("momentum")
    statement = "momentum is more than 0.5 points ahead of SGD at ten times the rate"
    if not curves.epochs:
        return Verdict((Part(statement, None, OFF),), (curves.file,))
    momentum, larger = curves.of("momentum"), curves.of("larger rate")
    lead = momentum.last("test_accuracy") - larger.last("test_accuracy")
    part = above(statement, lead, CLOSE, points, "its lead")
    apart = np.abs(momentum.stack("test_accuracy") - larger.stack("test_accuracy")).max()
    over_all = f"over all epochs and seeds, the two are at most {100 * apart:.2f} points apart"
    return Verdict((replace(part, found=f"{part.found}; {over_all}"),), (curves.file,))


def closer_to_the_end(evidence: Evidence) -> Verdict:
    """25-5: with momentum, SGD comes closer to the final accuracy."""
    curves = {name: evidence.curves(f"optimizers@{name}") for name in NAMES}
    files = tuple(of_stage.file for of_stage in curves.values())
    higher = "momentum is above SGD after ten epochs"
    half_way = "it is more than half of the way from SGD to Adam"
    epochs = min(of_stage.epochs for of_stage in curves.values())
    if epochs < 10:
        return Verdict((Part(higher, None, too_short(epochs)),), files)
    adam, momentum, sgd = (curves[name].at("test_accuracy", 10) for name in NAMES)
    parts = [above(higher, momentum - sgd, 0, points, "the difference")]
    if (adam > sgd).all():
        share = (momentum - sgd) / (adam - sgd)
        parts.append(above(half_way, share, 0.5, percent, "this share"))
    else:
        parts.append(Part(half_way, None, "Adam is not above SGD for every seed"))
    return Verdict(tuple(parts), files)


def _long_trainings(evidence: Evidence) -> Curves | None:
    """The curves of ten epochs with Adam and of a thousand with SGD, on all of MNIST.

    They come from the exercise, or else from the run on a GPU. None if neither has them.
    """
    whole = evidence.has_mnist and evidence.about("sgd")["images"] == MNIST_IMAGES
    candidates = [evidence.exercise("sgd")] if whole else []
    if evidence.gpu:
        candidates.append(evidence.gpu.curves("sgd"))
    for curves in candidates:
        if 10 in _accuracy(curves.of("Adam")) and 1000 in _accuracy(curves.of("SGD")):
            return curves
    return None


def _accuracy(curves: Curves) -> dict[int, float]:
    """The mean test accuracy of all seeds by epoch."""
    if not curves.epochs:
        return {}
    epochs = curves.curves[0]["epoch"][: curves.epochs]
    means = curves.stack("test_accuracy").mean(axis=0)
    return {int(epoch): float(mean) for epoch, mean in zip(epochs, means, strict=True)}


def _at_best_rate(evidence: Evidence, training: str) -> tuple[str, Numbers] | None:
    """The best rate of a training such as "SGD 10", and the test accuracies `(seeds - 1,)` at it.

    The first seed chooses the rate, and the accuracies are those of the other seeds. A rate at
    which a training diverged is left out. None if no rate is left.
    """
    curves = evidence.exercise("batch_sizes")
    diverged = {one["training"] for one in evidence.about("batch_sizes")["diverged"]}
    names = dict.fromkeys(curve.training for curve in curves)
    accuracies = {
        name: curves.of(name).last("test_accuracy")
        for name in names
        if name.startswith(f"{training}, rate ") and name not in diverged
    }
    if not accuracies:
        return None
    best = max(accuracies, key=lambda name: float(accuracies[name][0]))
    return best.rpartition(" ")[2], accuracies[best][1:]
