"""Lecture 24."""

from __future__ import annotations

import numpy as np

from dlvc.report.evidence import Curves, Evidence, Numbers
from dlvc.report.rules.perceptron import OFF
from dlvc.report.verdict import Part, Verdict, figure, join, rises, spread

PER_EPOCH, PER_BATCH, PER_SAMPLE = (
    f"update_rules@{rule}" for rule in ("per_epoch", "per_batch", "per_sample")
)
TIMES = "benchmarks/rules.json"
GOAL = 0.96


def per_epoch(evidence: Evidence) -> Verdict:
    """24-1: from 10 to 46 %, smoothly."""
    curves = evidence.curves(PER_EPOCH)
    up = rises(curves.stack("train_loss"))
    parts = [Part("the loss curve is smooth", up == 0, f"{up} epochs raise the training loss")]
    for epoch, printed in ((1, 0.1017), (10, 0.4612)):
        statement = f"{printed:.1%} after epoch {epoch}"
        if curves.epochs >= epoch:
            found = curves.at("test_accuracy", epoch)
            parts.append(figure(statement, found, printed, 0.02, comparable=evidence.has_mnist))
    return Verdict(tuple(parts), (curves.file,))


def per_batch(evidence: Evidence) -> Verdict:
    """24-2: in the same time, 92.7 %."""
    statement = "almost the same time an epoch"
    time = time_ratio(evidence, statement, "per_batch", "per_epoch", 0, 1.25)
    return time_and_first_epoch(evidence, PER_BATCH, time, "92.7 % after one epoch", 0.927)


def per_sample(evidence: Evidence) -> Verdict:
    """24-3: thirty times the time, 96 %."""
    time = time_ratio(evidence, "about 30 times the time", "per_sample", "per_batch", 15, 60)
    return time_and_first_epoch(evidence, PER_SAMPLE, time, "96 % after one epoch", 0.9601)


def time_and_first_epoch(
    evidence: Evidence, stage: str, time: Part, statement: str, printed: float
) -> Verdict:
    """What a rule takes, and what it brings after one epoch."""
    curves = evidence.curves(stage)
    first = curves.at("test_accuracy", 1)
    part = figure(statement, first, printed, 0.01, comparable=evidence.has_mnist)
    return Verdict((time, part), (curves.file, TIMES))


def time_ratio(
    evidence: Evidence, statement: str, one: str, other: str, least: float, most: float
) -> Part:
    """How much longer an epoch of one rule takes than of another, in the lecture's own loop."""
    lecture, ours = (
        evidence.times[loop][one]["seconds"] / evidence.times[loop][other]["seconds"]
        for loop in ("lecture", "ours")
    )
    found = f"{lecture:.2g} times in the lecture's loop, {ours:.2g} times in ours"
    return Part(statement, least <= lecture <= most, found)


def equal_updates(evidence: Evidence) -> Verdict:
    """24-4: as many updates, the same accuracy."""
    curves = evidence.exercise("per_epoch")
    images = evidence.about("per_epoch")["images"]
    once, often = curves.of("per epoch"), curves.of("per batch")
    parts = []
    for updates in (600, 6000):
        statement = f"after {updates:,} updates both are as good"
        if once.epochs < updates:
            parts.append(Part(statement, None, OFF))
            continue
        reached = [after_updates(side, updates) for side in (once, often)]
        apart = float(abs(reached[0].mean() - reached[1].mean()))
        found = f"per epoch {spread(reached[0])}, per batch {spread(reached[1])}"
        parts.append(Part(statement, apart <= 0.01, f"{found}, on {images:,} images"))
    return Verdict(tuple(parts), (curves.file,))


def after_updates(curves: Curves, updates: int) -> Numbers:
    """The test accuracies after the first epoch with as many updates in all."""
    return np.array(
        [
            one["test_accuracy"][min(np.searchsorted(one["updates"], updates), len(one) - 1)]
            for one in curves
        ]
    )


def epochs_to(curves: Curves, accuracy: float) -> Numbers:
    """The first epoch with an accuracy, from each seed; NaN where it is not reached."""
    firsts = [np.flatnonzero(one["test_accuracy"] >= accuracy) for one in curves]
    return np.array([first[0] + 1 if len(first) else np.nan for first in firsts])


def time_to_goal(evidence: Evidence) -> Verdict:
    """24-5: eight times faster."""
    statement = "per batch is about eight times faster to 96 %"
    times = evidence.times["lecture"]
    ours = evidence.times["ours"]
    sides = [evidence.curves(stage) for stage in (PER_SAMPLE, PER_BATCH)]
    files = (*(side.file for side in sides), TIMES)
    epochs = [epochs_to(side, GOAL) for side in sides]
    if any(np.isnan(one).any() for one in epochs):
        reached = " and ".join(
            f"{int((~np.isnan(one)).sum())} of {len(one)} seeds {name}"
            for one, name in zip(epochs, ("per sample", "per batch"), strict=True)
        )
        return Verdict((Part(statement, None, f"96 % is reached from {reached}"),), files)
    needed = [float(one.mean()) for one in epochs]
    ratios = [
        needed[0] * of["per_sample"]["seconds"] / (needed[1] * of["per_batch"]["seconds"])
        for of in (times, ours)
    ]
    found = (
        f"{needed[0]:.1f} epochs per sample, {needed[1]:.1f} per batch: {ratios[0]:.2g} times the "
        f"time in the lecture's loop, {ratios[1]:.2g} times in ours"
    )
    holds = 4 <= ratios[0] <= 16 if evidence.has_mnist else None
    return Verdict((Part(statement, holds, found),), files)


def jitter(evidence: Evidence) -> Verdict:
    """24-6: jittery per sample."""
    files = [
        f"results/update_rules/{rule}/update_losses.npy" for rule in ("per_sample", "per_batch")
    ]
    found = []
    for file, stage in zip(files, (PER_SAMPLE, PER_BATCH), strict=True):
        losses = np.asarray(evidence.array(file), dtype=np.float64)
        last = losses[-len(losses) // evidence.curves(stage).epochs :]
        found.append(float(np.abs(np.diff(last)).mean() / last.mean()))
    said = f"a step is {found[0]:.2f} of the mean loss per sample, {found[1]:.2f} per batch"
    part = Part("the loss is more jittery per sample", found[0] >= 2 * found[1], said)
    return Verdict((part,), tuple(files))


def over_fitting(evidence: Evidence) -> Verdict:
    """24-7: the test accuracy turns down.

    The last epoch of a curve that is flat and noisy lies nearly always below its best: a turn has
    to be larger than chance among so many test images.
    """
    curves = evidence.curves(PER_SAMPLE)
    images = evidence.images("digits")["test"]["images"]
    turned, rose = 0, 0
    for one in curves:
        accuracy, loss, learned = (
            one[column] for column in ("test_accuracy", "test_loss", "train_loss")
        )
        best, lowest = int(accuracy.argmax()), int(loss.argmin())
        error = np.sqrt(accuracy[best] * (1 - accuracy[best]) / images)
        turned += accuracy[-1] < accuracy[best] - 2 * error and learned[-1] < learned[best]
        rose += loss[-1] > 1.1 * loss[lowest] and learned[-1] < learned[lowest]
    seeds, half = len(curves), len(curves) / 2
    lost = (100 * float(one["test_accuracy"].max() - one["test_accuracy"][-1]) for one in curves)
    return Verdict(
        (
            Part(
                "the test accuracy turns down while the training loss falls",
                turned > half,
                f"it ends {join([f'{points:.2f}' for points in lost])} points below its best: more "
                f"than two standard errors of {images:,} images from {turned} of {seeds} seeds",
            ),
            Part(
                "the test loss turns up while the training loss falls",
                rose > half,
                f"it ends more than a tenth above its lowest from {rose} of {seeds} seeds",
            ),
        ),
        (curves.file,),
    )


def lower_rate(evidence: Evidence) -> Verdict:
    """24-8: 0.01 rather than 0.1."""
    curves = evidence.exercise("per_sample")
    low, high = curves.of("rate 0.01"), curves.of("rate 0.1")
    statement = "per sample needs a lower rate"
    if not low.epochs:
        return Verdict((Part(statement, None, OFF),), (curves.file,))
    diverged = [one for one in evidence.about("per_sample")["diverged"] if "0.1" in one["training"]]
    if diverged:
        found = f"at 0.1 the loss is no longer a number from {len(diverged)} seeds"
        return Verdict((Part(statement, True, found),), (curves.file,))
    reached = [side.last("test_accuracy") for side in (low, high)]
    found = f"0.01: {spread(reached[0])}; 0.1: {spread(reached[1])}"
    holds = bool(reached[0].mean() - reached[1].mean() > 0.01)
    return Verdict((Part(statement, holds, found),), (curves.file,))


def held_activations(evidence: Evidence) -> Verdict:
    """24-9: a whole set's activations, or a batch's."""
    one, many = evidence.table("activations")
    ratio = int(many["activation_bytes"]) / int(one["activation_bytes"])
    found = (
        f"{int(one['activation_bytes']):,} bytes for a batch of {one['images']}, "
        f"{ratio:.2f} times as many for {many['batches']} batches that are added up"
    )
    part = Part("as many times as much as there are batches", ratio == int(many["batches"]), found)
    return Verdict((part,), ("results/costs/activations.csv",))
