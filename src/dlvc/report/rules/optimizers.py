"""Lecture 25."""

from __future__ import annotations

import numpy as np

from dlvc.report.evidence import Evidence
from dlvc.report.rules.perceptron import OFF
from dlvc.report.rules.update_rules import epochs_to
from dlvc.report.verdict import Part, Verdict, figure, spread

OPTIMIZERS = {"adam": 0.9141, "momentum": 0.2020, "sgd": 0.1150}  # after one epoch


def order(evidence: Evidence) -> Verdict:
    """25-1: Adam, momentum, SGD."""
    curves = {name: evidence.curves(f"optimizers@{name}") for name in OPTIMIZERS}
    adam, momentum, sgd = (
        {one.seed: one["test_accuracy"][0] for one in curves[name]} for name in OPTIMIZERS
    )
    seeds = sorted(adam.keys() & momentum.keys() & sgd.keys())
    as_said = sum(bool(adam[seed] > momentum[seed] > sgd[seed]) for seed in seeds)
    found = f"from {as_said} of {len(seeds)} seeds after one epoch"
    parts = [Part("Adam above momentum above SGD", as_said == len(seeds), found)]
    for name, printed in OPTIMIZERS.items():
        values = curves[name].at("test_accuracy", 1)
        statement = f"{name}: {printed:.1%} after one epoch"
        parts.append(figure(statement, values, printed, 0.02, comparable=evidence.has_mnist))
    return Verdict(tuple(parts), tuple(one.file for one in curves.values()))


def thousand_epochs(evidence: Evidence) -> Verdict:
    """25-2: SGD needs a thousand epochs."""
    curves = evidence.exercise("sgd")
    statement = "SGD needs about a thousand epochs"
    adam, sgd = curves.of("Adam"), curves.of("SGD")
    if not sgd.epochs:
        return Verdict((Part(statement, None, OFF),), (curves.file,))
    goal = float(adam.last("test_accuracy").mean())
    needed = epochs_to(sgd, goal)
    images = evidence.about("sgd")["images"]
    aim = f"Adam's {goal:.1%} after {adam.epochs} epochs on {images:,} images"
    if np.isnan(needed).any():
        reached = spread(sgd.last("test_accuracy"))
        # More than were tried is "about a thousand" only if fewer than 3,000 could be meant.
        holds = False if sgd.epochs >= 3000 else None
        return Verdict(
            (Part(statement, holds, f"{aim}; SGD has {reached} after {sgd.epochs:,}"),),
            (curves.file,),
        )
    found = f"{aim}; SGD has that after {needed.mean():,.0f}"
    holds = bool(300 <= needed.mean() <= 3000)
    return Verdict((Part(statement, holds, found),), (curves.file,))


def small_batches(evidence: Evidence) -> Verdict:
    """25-3: SGD at batches of 10 to 16."""
    curves = evidence.exercise("batch_sizes")
    own = evidence.params["claims.batch_sizes.sgd_learning_rate"]
    parts = []
    for size in (10, 16):
        adam = curves.of(f"Adam {size}")
        for name, rate in (
            (f"SGD {size}", "at the lecture's rate"),
            (f"SGD {size}, own rate", f"at {own:g}"),
        ):
            sgd = curves.of(name)
            statement = f"SGD serves better at a batch of {size}, {rate}"
            if not (sgd.epochs and adam.epochs):
                parts.append(Part(statement, None, OFF))
                continue
            reached = [side.last("test_accuracy") for side in (sgd, adam)]
            found = f"SGD {spread(reached[0])}, Adam {spread(reached[1])} after {sgd.epochs} epochs"
            parts.append(Part(statement, bool(reached[0].mean() > reached[1].mean()), found))
    return Verdict(tuple(parts), (curves.file,))


def momentum_or_rate(evidence: Evidence) -> Verdict:
    """25-4: momentum, or a larger rate."""
    curves = evidence.exercise("momentum")
    if not curves.epochs:
        return Verdict((Part("momentum carries SGD out", None, OFF),), (curves.file,))
    sgd, momentum, larger = (curves.of(name) for name in ("SGD", "momentum", "larger rate"))
    reached = [side.last("test_accuracy") for side in (sgd, momentum, larger)]
    ahead = [float(reached[1].mean() - reached[n].mean()) for n in (0, 2)]
    apart = float(np.abs(momentum.stack("test_accuracy") - larger.stack("test_accuracy")).max())
    return Verdict(
        (
            Part(
                "momentum is ahead of SGD at the same rate",
                ahead[0] > 0,
                f"by {100 * ahead[0]:.1f} points after {momentum.epochs} epochs",
            ),
            Part(
                "and ahead of SGD at a rate 1 / (1 - μ) times as large",
                ahead[1] > 0.02,
                f"by {100 * ahead[1]:.1f} points; at no epoch and from no seed are the two more "
                f"than {100 * apart:.2f} points apart",
            ),
        ),
        (curves.file,),
    )
