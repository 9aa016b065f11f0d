"""Rules for the claims of lecture 25."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dlvc.evidence.curves import Curves, Numbers, at_best_rate, of_same_seeds
from dlvc.evidence.outs import MNIST_IMAGES, Evidence
from dlvc.report.rules.perceptron import too_short
from dlvc.report.statistics import above, percent, points, printed_curve
from dlvc.report.verdict import NO_JUDGE, OFF, Part, Verdict

NAMES = {"adam": "Adam", "momentum": "momentum", "sgd": "SGD"}
CLOSE = 0.005  # of accuracy


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
            statement = f"the printed {what} of {NAMES[name]} may be those of one more seed"
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
    parts = []
    for size in (10, 16):
        better = f"SGD works better than Adam with batches of {size}"
        matter = f"SGD's lead is larger with batches of {size} than with batches of 100"
        both = [at_best_rate(curves, f"{name} {size}") for name in ("SGD", "Adam")]
        (lead,) = _leads(curves, size)
        if not curves.epochs:
            parts.append(Part(better, None, OFF))
        elif not len(lead):
            parts.append(Part(better, None, NO_JUDGE))
        else:
            part = above(better, lead, 0, points, "SGD's lead")
            rates = " and ".join(of.curves[0].training for of in both)
            parts.append(replace(part, found=f"{part.found}; {rates}"))
            small, large = _leads(curves, size, 100)
            if len(small):
                parts.append(above(matter, small - large, 0, points, "the difference of the leads"))
    return Verdict(tuple(parts), (curves.file,))


def momentum_or_rate(evidence: Evidence) -> Verdict:
    """25-4: momentum helps SGD more than a larger learning rate does."""
    curves = evidence.exercise("momentum").complete()
    statement = "momentum is more than 0.5 points ahead of SGD at ten times the rate"
    if not curves.epochs:
        return Verdict((Part(statement, None, OFF),), (curves.file,))
    momentum, larger = of_same_seeds(curves.of("momentum"), curves.of("larger rate"))
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


def _leads(curves: Curves, *sizes: int) -> list[Numbers]:
    """SGD's accuracy minus Adam's, both at their best rates, `(seeds,)` for each batch size.

    The seeds are those that have all these trainings.
    """
    trainings = of_same_seeds(
        *(at_best_rate(curves, f"{name} {size}") for size in sizes for name in ("SGD", "Adam"))
    )
    reached = [one.last("test_accuracy") for one in trainings]
    return [sgd - adam for sgd, adam in zip(reached[::2], reached[1::2], strict=True)]
