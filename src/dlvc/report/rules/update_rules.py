"""Rules for the claims of lecture 24."""

from __future__ import annotations

import numpy as np

from dlvc.evidence.curves import Curves, Numbers
from dlvc.evidence.outs import Evidence
from dlvc.report.rules.perceptron import OFF
from dlvc.report.verdict import Part, Verdict, figure, join, rises, spread

PER_EPOCH, PER_BATCH, PER_SAMPLE = (
    f"update_rules@{rule}" for rule in ("per_epoch", "per_batch", "per_sample")
)
TIMES = "benchmarks/rules.json"
GOAL = 0.96  # test accuracy


def per_epoch(evidence: Evidence) -> Verdict:
    """24-1: one update per epoch gives a smooth curve from 10 to 46 %."""
    curves = evidence.curves(PER_EPOCH)
    risen = rises(curves.stack("train_loss"))
    found = f"the training loss rises at {risen} epochs"
    parts = [Part("the loss curve is smooth", risen == 0, found)]
    for epoch, printed in ((1, 0.1017), (10, 0.4612)):
        statement = f"the test accuracy is {printed:.1%} after epoch {epoch}"
        if curves.epochs >= epoch:
            values = curves.at("test_accuracy", epoch)
            parts.append(figure(statement, values, printed, 0.02, comparable=evidence.has_mnist))
    return Verdict(tuple(parts), (curves.file,))


def per_batch(evidence: Evidence) -> Verdict:
    """24-2: per batch, an epoch takes almost the same time as per epoch and reaches 92.7 %."""
    statement = "an epoch takes almost the same time as with one update"
    time = time_ratio(evidence, statement, "per_batch", "per_epoch", 0, 1.25)
    statement = "the test accuracy is 92.7 % after one epoch"
    return time_and_first_epoch(evidence, PER_BATCH, time, statement, 0.927)


def per_sample(evidence: Evidence) -> Verdict:
    """24-3: per sample, an epoch takes about 30 times as long as per batch and reaches 96 %."""
    statement = "an epoch takes about 30 times as long as per batch"
    time = time_ratio(evidence, statement, "per_sample", "per_batch", 15, 60)
    statement = "the test accuracy is 96 % after one epoch"
    return time_and_first_epoch(evidence, PER_SAMPLE, time, statement, 0.9601)


def time_and_first_epoch(
    evidence: Evidence, stage: str, time: Part, statement: str, printed: float
) -> Verdict:
    """The verdict from `time` and from a rule's test accuracy after one epoch."""
    curves = evidence.curves(stage)
    accuracies = curves.at("test_accuracy", 1)
    part = figure(statement, accuracies, printed, 0.01, comparable=evidence.has_mnist)
    return Verdict((time, part), (curves.file, TIMES))


def time_ratio(
    evidence: Evidence, statement: str, rule: str, reference: str, least: float, most: float
) -> Part:
    """Whether an epoch of `rule` takes `least` to `most` times as long as one of `reference`.

    The times in the lecture's own loop decide.
    """
    lecture, ours = (
        evidence.times[loop][rule]["seconds"] / evidence.times[loop][reference]["seconds"]
        for loop in ("lecture", "ours")
    )
    found = f"the factor is {lecture:.2g} in the lecture's loop, and {ours:.2g} in ours"
    return Part(statement, least <= lecture <= most, found)


def equal_updates(evidence: Evidence) -> Verdict:
    """24-4: after the same number of updates, both rules have the same accuracy."""
    curves = evidence.exercise("per_epoch")
    images = evidence.about("per_epoch")["images"]
    per_epoch_curves, per_batch_curves = curves.of("per epoch"), curves.of("per batch")
    parts = []
    for updates in (600, 6000):
        statement = f"both rules are equally accurate after {updates:,} updates"
        if per_epoch_curves.epochs < updates:
            parts.append(Part(statement, None, OFF))
            continue
        once = after_updates(per_epoch_curves, updates)
        often = after_updates(per_batch_curves, updates)
        difference = float(abs(once.mean() - often.mean()))
        found = f"{spread(once)} per epoch and {spread(often)} per batch, on {images:,} images"
        parts.append(Part(statement, difference <= 0.01, found))
    return Verdict(tuple(parts), (curves.file,))


def after_updates(curves: Curves, updates: int) -> Numbers:
    """The test accuracies, `(seeds,)`, after the first epoch that has `updates` updates in total.

    If no epoch has that many updates, the last epoch counts.
    """
    return np.array(
        [
            curve["test_accuracy"][min(np.searchsorted(curve["updates"], updates), len(curve) - 1)]
            for curve in curves
        ]
    )


def epochs_to(curves: Curves, accuracy: float) -> Numbers:
    """The first epoch with at least `accuracy`, `(seeds,)`; NaN if a seed does not reach it."""
    reached = [np.flatnonzero(curve["test_accuracy"] >= accuracy) for curve in curves]
    return np.array([indices[0] + 1 if len(indices) else np.nan for indices in reached])


def time_to_goal(evidence: Evidence) -> Verdict:
    """24-5: per batch reaches 96 % about eight times faster than per sample."""
    statement = "per batch reaches 96 % about eight times faster"
    curves = [evidence.curves(stage) for stage in (PER_SAMPLE, PER_BATCH)]
    files = (*(of_rule.file for of_rule in curves), TIMES)
    epochs = [epochs_to(of_rule, GOAL) for of_rule in curves]
    if any(np.isnan(by_seed).any() for by_seed in epochs):
        reached = " and ".join(
            f"{int((~np.isnan(by_seed)).sum())} of {len(by_seed)} seeds {name}"
            for by_seed, name in zip(epochs, ("per sample", "per batch"), strict=True)
        )
        return Verdict((Part(statement, None, f"96 % is reached by {reached}"),), files)
    per_sample_epochs, per_batch_epochs = (float(by_seed.mean()) for by_seed in epochs)
    lecture, ours = (
        per_sample_epochs
        * evidence.times[loop]["per_sample"]["seconds"]
        / (per_batch_epochs * evidence.times[loop]["per_batch"]["seconds"])
        for loop in ("lecture", "ours")
    )
    found = (
        f"per sample needs {per_sample_epochs:.1f} epochs, and per batch {per_batch_epochs:.1f}; "
        f"per sample takes {lecture:.2g} times as long in the lecture's loop, and {ours:.2g} times "
        "as long in ours"
    )
    holds = 4 <= lecture <= 16 if evidence.has_mnist else None
    return Verdict((Part(statement, holds, found),), files)


def jitter(evidence: Evidence) -> Verdict:
    """24-6: the loss is more jittery per sample than per batch."""
    files = [
        f"results/update_rules/{rule}/update_losses.npy" for rule in ("per_sample", "per_batch")
    ]
    jitters = []
    for file, stage in zip(files, (PER_SAMPLE, PER_BATCH), strict=True):
        losses = np.asarray(evidence.array(file), dtype=np.float64)
        last = losses[-len(losses) // evidence.curves(stage).epochs :]
        jitters.append(float(np.abs(np.diff(last)).mean() / last.mean()))
    per_sample_jitter, per_batch_jitter = jitters
    found = (
        f"the mean step is {per_sample_jitter:.2f} of the mean loss per sample, and "
        f"{per_batch_jitter:.2f} per batch"
    )
    holds = per_sample_jitter >= 2 * per_batch_jitter
    part = Part("the loss is more jittery per sample", holds, found)
    return Verdict((part,), tuple(files))


def over_fitting(evidence: Evidence) -> Verdict:
    """24-7: the test accuracy turns down while the training loss still falls.

    A flat, noisy curve almost always ends below its best value. A drop therefore counts only if it
    is larger than the sampling error of the test images.
    """
    curves = evidence.curves(PER_SAMPLE)
    images = evidence.images("digits")["test"]["images"]
    turned, rose = 0, 0
    for curve in curves:
        accuracy, loss, train_loss = (
            curve[column] for column in ("test_accuracy", "test_loss", "train_loss")
        )
        best, lowest = int(accuracy.argmax()), int(loss.argmin())
        error = np.sqrt(accuracy[best] * (1 - accuracy[best]) / images)
        turned += accuracy[-1] < accuracy[best] - 2 * error and train_loss[-1] < train_loss[best]
        rose += loss[-1] > 1.1 * loss[lowest] and train_loss[-1] < train_loss[lowest]
    seeds, half = len(curves), len(curves) / 2
    accuracies = [curve["test_accuracy"] for curve in curves]
    drops = [f"{100 * float(by_epoch.max() - by_epoch[-1]):.2f}" for by_epoch in accuracies]
    return Verdict(
        (
            Part(
                "the test accuracy turns down while the training loss falls",
                turned > half,
                f"it ends {join(drops)} points below its best value; for {turned} of {seeds} seeds "
                f"this is more than two standard errors for {images:,} images",
            ),
            Part(
                "the test loss turns up while the training loss falls",
                rose > half,
                f"it ends more than a tenth above its lowest value for {rose} of {seeds} seeds",
            ),
        ),
        (curves.file,),
    )


def lower_rate(evidence: Evidence) -> Verdict:
    """24-8: updating per sample needs a rate of 0.01 instead of 0.1."""
    curves = evidence.exercise("per_sample")
    low, high = curves.of("rate 0.01"), curves.of("rate 0.1")
    statement = "updating per sample needs a lower learning rate"
    if not low.epochs:
        return Verdict((Part(statement, None, OFF),), (curves.file,))
    diverged = [
        training
        for training in evidence.about("per_sample")["diverged"]
        if "0.1" in training["training"]
    ]
    if diverged:
        found = f"the training at 0.1 diverges for {len(diverged)} seeds"
        return Verdict((Part(statement, True, found),), (curves.file,))
    at_low, at_high = (curve.last("test_accuracy") for curve in (low, high))
    found = f"the test accuracy is {spread(at_low)} at 0.01 and {spread(at_high)} at 0.1"
    holds = bool(at_low.mean() - at_high.mean() > 0.01)
    return Verdict((Part(statement, holds, found),), (curves.file,))


def held_activations(evidence: Evidence) -> Verdict:
    """24-9: the per-epoch rule keeps the activations of all batches, the per-batch rule of one."""
    one_batch, all_batches = evidence.table("activations")
    ratio = int(all_batches["activation_bytes"]) / int(one_batch["activation_bytes"])
    count = int(all_batches["batches"])
    found = (
        f"{int(one_batch['activation_bytes']):,} bytes for a batch of {one_batch['images']} "
        f"images, and {ratio:.2f} times as many for {count} batches whose losses are added up"
    )
    part = Part("the memory is proportional to the number of batches", ratio == count, found)
    return Verdict((part,), ("results/costs/activations.csv",))
