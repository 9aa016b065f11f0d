"""Rules for the claims of lecture 24 on losses and accuracies."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from dlvc.evidence.curves import Curves, Numbers, of_same_seeds
from dlvc.evidence.outs import MNIST_IMAGES, Evidence
from dlvc.report.statistics import (
    FEWEST,
    above,
    number,
    percent,
    points,
    printed_curve,
    within,
)
from dlvc.report.verdict import NOT_COMPARABLE, OFF, Part, Verdict

PER_EPOCH, PER_BATCH, PER_SAMPLE = (
    f"update_rules@{rule}" for rule in ("per_epoch", "per_batch", "per_sample")
)
EQUAL = 0.01  # test accuracy
TENTHS = 10
SAME = 0.1  # most by which two mean losses that count as the same differ


def per_epoch(evidence: Evidence) -> Verdict:
    """24-1: one update per epoch gives a smooth curve from 10 to 46 %."""
    once, often = of_same_seeds(evidence.curves(PER_EPOCH), evidence.curves(PER_BATCH))
    statement = "the training loss is smooth: less rough than with one update per batch"
    if min(once.epochs, often.epochs) < 3:
        smooth = Part(statement, None, "a curve's roughness needs three epochs")
    else:
        rough_once, rough_often = (
            roughness(curves.stack("train_loss")) for curves in (once, often)
        )
        smooth = above(
            statement,
            rough_often - rough_once,
            0,
            number,
            f"the roughness per batch ({number(rough_often.mean())}) minus that per epoch "
            f"({number(rough_once.mean())})",
        )
    return Verdict((smooth, *printed_parts(evidence, PER_EPOCH)), (once.file, often.file))


def roughness(curves: Numbers) -> Numbers:
    """The mean size of the second differences of curves `(seeds, epochs)`, over that of the first.

    >>> roughness(np.array([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]]))
    array([0., 2.])
    """
    first, second = (np.abs(np.diff(curves, n, axis=1)).mean(axis=1) for n in (1, 2))
    ratio: Numbers = second / first
    return ratio


def printed_parts(evidence: Evidence, stage: str) -> tuple[Part, Part]:
    """Whether the lecture's losses and accuracies of a stage are ours."""
    losses, accuracies = (
        printed_curve(
            f"the printed {words} may be those of one more seed",
            evidence.curves(stage),
            metric,
            evidence.printed[stage],
            comparable=evidence.has_mnist,
        )
        for metric, words in (
            ("train_loss", "training losses"),
            ("test_accuracy", "test accuracies"),
        )
    )
    return losses, accuracies


def equal_updates(evidence: Evidence) -> Verdict:
    """24-4: after the same number of updates, both rules have the same accuracy."""
    exercise = evidence.exercise("per_epoch")
    images = evidence.about("per_epoch")["images"]
    sources = []  # trainings on all images: with one update per epoch, and per batch
    reasons = []  # why there are no others
    if not evidence.has_mnist:
        reasons.append(NOT_COMPARABLE)
    elif not exercise.epochs:
        reasons.append(OFF)
    elif images < MNIST_IMAGES:
        reasons.append(f"the exercise has {images:,} images, and the lecture {MNIST_IMAGES:,}")
    else:
        sources.append((exercise.of("per epoch"), exercise.of("per batch")))
    if evidence.gpu:
        curves = evidence.gpu.curves("updates")
        sources.append((curves.of("per_epoch"), curves.of("per_batch")))
    for once, _ in sources:
        most = max((int(curve["updates"][-1]) for curve in once), default=0)
        reasons.append(f"{once.file} has {most:,} updates of the per-epoch rule")
    parts = []
    for updates, seeds in ((600, FEWEST), (1200, FEWEST), (6000, 1)):
        statement = f"both rules are equally accurate after {updates:,} updates"
        pairs = [after_updates(once, often, updates) for once, often in sources]
        enough = [pair for pair in pairs if pair.shape[1] >= seeds]
        if enough:
            parts.append(equally_accurate(statement, *enough[0], interval=seeds > 1))
        else:
            needed = "one seed" if seeds == 1 else f"{seeds} seeds"
            found = f"this needs {needed} on all images; {'; '.join(reasons)}"
            parts.append(Part(statement, None, found))
    files = (exercise.file, *([evidence.gpu.file("updates")] if evidence.gpu else []))
    return Verdict(tuple(parts), files)


def after_updates(once: Curves, often: Curves, updates: int) -> Numbers:
    """The test accuracies of two trainings after `updates` updates, `(2, seeds)`.

    Only the seeds that have this number of updates in both trainings count.
    """
    found = [
        {
            curve.seed: float(curve["test_accuracy"][curve["updates"] == updates][0])
            for curve in curves
            if updates in curve["updates"]
        }
        for curves in (once, often)
    ]
    seeds = sorted(found[0].keys() & found[1].keys())
    return np.array([[of_rule[seed] for seed in seeds] for of_rule in found])


def equally_accurate(statement: str, once: Numbers, often: Numbers, *, interval: bool) -> Part:
    """Whether the accuracies of the same seeds differ by at most a point."""
    rules = f"{percent(once.mean())} per epoch minus {percent(often.mean())} per batch"
    if interval:
        return within(statement, once - often, (-EQUAL, EQUAL), points, rules)
    difference = float(once.mean() - often.mean())
    seeds = "one seed" if len(once) == 1 else f"{len(once)} seeds"
    found = f"{rules} is {points(difference)} ({seeds})"
    return Part(statement, abs(difference) <= EQUAL, found)


def jitter(evidence: Evidence) -> Verdict:
    """24-6: the loss is more jittery per sample than per batch."""
    files = [
        f"results/update_rules/{rule}/update_losses.npy" for rule in ("per_sample", "per_batch")
    ]
    size = evidence.params["update_rules.per_batch.batch_size"]
    singles, batches = (np.asarray(evidence.array(file), dtype=np.float64) for file in files)
    means = singles[: len(singles) // size * size].reshape(-1, size).mean(axis=1)
    statement = f"means of {size} losses per sample are more jittery than losses per batch"
    of_singles, of_batches = (
        tenths(losses, evidence.curves(stage).epochs)
        for losses, stage in ((means, PER_SAMPLE), (batches, PER_BATCH))
    )
    if min(len(tenth) for tenth in (*of_singles, *of_batches)) < 2:
        found = f"a tenth of an epoch has fewer than two batches of {size} images"
        return Verdict((Part(statement, None, found),), tuple(files))
    last = of_batches[-TENTHS:]
    candidates, level = (
        np.array([tenth.mean() for tenth in group]) for group in (of_singles, last)
    )
    apart = np.abs(np.log(candidates / level[:, np.newaxis]))
    _, nearest = linear_sum_assignment(apart)
    if apart[np.arange(TENTHS), nearest].max() > np.log(1 + SAME):
        found = "some mean losses of the last epoch per batch do not occur per sample"
        return Verdict((Part(statement, None, found),), tuple(files))
    matched = [of_singles[index] for index in nearest]
    per_sample, per_batch = (
        np.array([jitter_of(tenth) for tenth in group]) for group in (matched, last)
    )
    part = above(
        statement,
        per_sample - per_batch,
        0,
        number,
        f"at mean losses of {number(candidates[nearest].mean())} per sample and "
        f"{number(level.mean())} per batch, the jitter per sample ({number(per_sample.mean())}) "
        f"minus that per batch ({number(per_batch.mean())})",
        unit="tenth",
    )
    return Verdict((part,), tuple(files))


def tenths(losses: Numbers, epochs: int) -> list[Numbers]:
    """The losses of all updates, divided into ten parts per epoch."""
    return np.array_split(losses, epochs * TENTHS)


def jitter_of(losses: Numbers) -> float:
    """The mean step from one loss to the next, over the mean loss.

    >>> jitter_of(np.array([1.0, 3.0, 1.0, 3.0]))
    1.0
    """
    return float(np.abs(np.diff(losses)).mean() / losses.mean())


def lower_rate(evidence: Evidence) -> Verdict:
    """24-8: updating per sample needs a rate of 0.01 instead of 0.1."""
    curves = evidence.exercise("per_sample")
    low, high = curves.of("rate 0.01"), curves.of("rate 0.1")
    statement = "updating per sample needs a lower learning rate"
    if not low.epochs:
        return Verdict((Part(statement, None, OFF),), (curves.file,))
    ended = {
        training["seed"]
        for training in evidence.about("per_sample")["diverged"]
        if training["training"] == "rate 0.1"
    }
    if len(ended) > len(low) / 2:
        found = f"the training at 0.1 diverges for {len(ended)} of {len(low)} seeds"
        return Verdict((Part(statement, True, found),), (curves.file,))
    whole = Curves(high.file, tuple(curve for curve in high if curve.seed not in ended))
    at_low, at_high = (curves.last("test_accuracy") for curves in of_same_seeds(low, whole))
    what = f"{percent(at_low.mean())} at 0.01 minus {percent(at_high.mean())} at 0.1"
    part = above(statement, at_low - at_high, 0.01, points, what)
    return Verdict((part,), (curves.file,))


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
