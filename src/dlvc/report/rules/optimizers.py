"""Rules for the claims of lecture 25."""

from __future__ import annotations

import numpy as np

from dlvc.evidence.outs import Evidence
from dlvc.report.rules.perceptron import OFF
from dlvc.report.rules.update_rules import epochs_to
from dlvc.report.verdict import Part, Verdict, figure, spread

# The test accuracy that the lecture prints after one epoch.
OPTIMIZERS = {"adam": 0.9141, "momentum": 0.2020, "sgd": 0.1150}
NAMES = {"adam": "Adam", "momentum": "momentum", "sgd": "SGD"}


def order(evidence: Evidence) -> Verdict:
    """25-1: Adam is above momentum, and momentum is above SGD."""
    curves = {name: evidence.curves(f"optimizers@{name}") for name in OPTIMIZERS}
    adam, momentum, sgd = (
        {curve.seed: curve["test_accuracy"][0] for curve in curves[name]} for name in OPTIMIZERS
    )
    seeds = sorted(adam.keys() & momentum.keys() & sgd.keys())
    ordered = sum(bool(adam[seed] > momentum[seed] > sgd[seed]) for seed in seeds)
    found = f"for {ordered} of {len(seeds)} seeds after one epoch"
    statement = "Adam is above momentum, and momentum is above SGD"
    parts = [Part(statement, ordered == len(seeds), found)]
    for name, printed in OPTIMIZERS.items():
        values = curves[name].at("test_accuracy", 1)
        statement = f"{NAMES[name]} reaches {printed:.1%} after one epoch"
        parts.append(figure(statement, values, printed, 0.02, comparable=evidence.has_mnist))
    return Verdict(tuple(parts), tuple(of_stage.file for of_stage in curves.values()))


def thousand_epochs(evidence: Evidence) -> Verdict:
    """25-2: SGD needs about a thousand epochs to reach what Adam reaches in ten."""
    curves = evidence.exercise("sgd")
    statement = "SGD needs about a thousand epochs"
    adam, sgd = curves.of("Adam"), curves.of("SGD")
    if not sgd.epochs:
        return Verdict((Part(statement, None, OFF),), (curves.file,))
    goal = float(adam.last("test_accuracy").mean())
    needed = epochs_to(sgd, goal)
    images = evidence.about("sgd")["images"]
    aim = f"Adam reaches {goal:.1%} after {adam.epochs} epochs on {images:,} images"
    if np.isnan(needed).any():
        reached = spread(sgd.last("test_accuracy"))
        # SGD needs more epochs than were tried. That refutes the claim if 3,000 or more were tried.
        holds = False if sgd.epochs >= 3000 else None
        found = f"{aim}; SGD reaches {reached} after {sgd.epochs:,} epochs"
        return Verdict((Part(statement, holds, found),), (curves.file,))
    found = f"{aim}; SGD reaches this after {needed.mean():,.0f} epochs"
    holds = bool(300 <= needed.mean() <= 3000)
    return Verdict((Part(statement, holds, found),), (curves.file,))


def small_batches(evidence: Evidence) -> Verdict:
    """25-3: with batches of 10 to 16 images, SGD works better than Adam."""
    curves = evidence.exercise("batch_sizes")
    sgd_rate = evidence.params["claims.batch_sizes.sgd_learning_rate"]
    parts = []
    for size in (10, 16):
        adam = curves.of(f"Adam {size}")
        for name, rate in (
            (f"SGD {size}", "at the lecture's rate"),
            (f"SGD {size}, own rate", f"at a rate of {sgd_rate:g}"),
        ):
            sgd = curves.of(name)
            statement = f"SGD works better with batches of {size}, {rate}"
            if not (sgd.epochs and adam.epochs):
                parts.append(Part(statement, None, OFF))
                continue
            by_sgd, by_adam = (curve.last("test_accuracy") for curve in (sgd, adam))
            reached = f"SGD reaches {spread(by_sgd)} and Adam {spread(by_adam)}"
            found = f"{reached} after {sgd.epochs} epochs"
            parts.append(Part(statement, bool(by_sgd.mean() > by_adam.mean()), found))
    return Verdict(tuple(parts), (curves.file,))


def momentum_or_rate(evidence: Evidence) -> Verdict:
    """25-4: momentum helps SGD more than a larger learning rate does."""
    curves = evidence.exercise("momentum")
    if not curves.epochs:
        statement = "momentum carries SGD out of regions where it stalls"
        return Verdict((Part(statement, None, OFF),), (curves.file,))
    sgd, momentum, larger = (curves.of(name) for name in ("SGD", "momentum", "larger rate"))
    accuracy = float(momentum.last("test_accuracy").mean())
    over_sgd, over_larger = (
        accuracy - float(curve.last("test_accuracy").mean()) for curve in (sgd, larger)
    )
    apart = float(np.abs(momentum.stack("test_accuracy") - larger.stack("test_accuracy")).max())
    return Verdict(
        (
            Part(
                "momentum is ahead of SGD at the same rate",
                over_sgd > 0,
                f"the difference is {100 * over_sgd:+.1f} points after {momentum.epochs} epochs",
            ),
            Part(
                "momentum is ahead of SGD at a rate that is 1 / (1 - μ) times as large",
                over_larger > 0.02,
                f"the difference is {100 * over_larger:+.1f} points; over all epochs and seeds, it "
                f"is at most {100 * apart:.2f} points",
            ),
        ),
        (curves.file,),
    )
