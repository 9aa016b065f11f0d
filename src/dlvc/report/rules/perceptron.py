"""Rules for the claims of lecture 5."""

from __future__ import annotations

from dataclasses import replace

from dlvc.evidence.curves import Curves
from dlvc.evidence.outs import Evidence
from dlvc.report.statistics import above, number, percent, points, printed_curve
from dlvc.report.verdict import OFF, Part, Verdict, rises, spread

SLOW = 0.01  # share of the loss per epoch
EXPECTED = (0.10, 0.12)  # the accuracy that the lecture expects after 200 epochs
LECTURES_RATE = "rate 10"


def loss_falls(evidence: Evidence) -> Verdict:
    """05-1: the training loss falls slowly, at every epoch."""
    curves = evidence.curves("perceptron")
    loss = curves.stack("train_loss")
    steps = loss[:, 1:].size
    mean_fall = float((1 - loss[:, 1:] / loss[:, :-1]).mean()) if steps else 0.0
    risen = rises(loss)
    return Verdict(
        (
            Part(
                "the loss falls at every epoch",
                risen == 0 if steps else None,
                f"it rises at {risen} of {steps} epochs",
            ),
            Part(
                "it falls slowly",
                mean_fall < SLOW if steps and not risen else None,
                f"by {mean_fall:.3%} per epoch on average",
            ),
            printed_curve(
                "the printed losses may be those of one more seed",
                curves,
                "train_loss_lecture_scale",
                evidence.printed["perceptron"],
                comparable=evidence.has_cifar10,
            ),
        ),
        (curves.file,),
    )


def after_twenty(evidence: Evidence) -> Verdict:
    """05-2: the training accuracy is 12.5 % and the test accuracy 0 % after 20 epochs."""
    curves = evidence.curves("perceptron")
    none_right = "no test image is classified correctly"
    if curves.epochs < 20:
        of_test = Part(none_right, None, too_short(curves.epochs))
    else:
        test = curves.at("test_accuracy", 20)
        of_test = Part(none_right, bool(test.max() <= 0.01), f"we measure {spread(test)}")
    of_training = printed_curve(
        "12.5 % of the training images are classified correctly",
        curves,
        "train_accuracy",
        evidence.printed["perceptron"],
        comparable=evidence.has_cifar10,
    )
    return Verdict((of_training, of_test), (curves.file,))


def after_two_hundred(evidence: Evidence) -> Verdict:
    """05-3: about 200 epochs give 10 to 12 %."""
    curves = evidence.exercise("perceptron").of(LECTURES_RATE)
    least, most = EXPECTED
    statement = "200 epochs give a test accuracy above 10 %"
    if curves.epochs < 200:
        found = too_short(curves.epochs)
        return Verdict((Part(statement, None, found),), (curves.file,))
    reached = curves.at("test_accuracy", 200)
    beyond = f"the mean is {points(reached.mean() - most)} from 12 %"
    if evidence.has_cifar10:
        part = above(statement, reached, least, percent, "the test accuracy")
    else:
        part = Part(statement, None, f"we measure {spread(reached)} on other images")
    part = replace(part, found=f"{part.found}; {beyond}")
    return Verdict((part,), (curves.file,))


def best_rate(evidence: Evidence) -> Verdict:
    """05-4: a learning rate of 10 is a good choice compared with 100 and 0.001."""
    curves = evidence.exercise("perceptron")
    parts = [part for epoch in (20, 200) for part in _compare_rates(evidence, curves, epoch)]
    return Verdict(tuple(parts), (curves.file,))


def accuracy_increases(evidence: Evidence) -> Verdict:
    """05-5: the training accuracy increases."""
    curves = evidence.curves("perceptron")
    statement = "the training accuracy is higher after 20 epochs than after the first one"
    if curves.epochs < 20:
        return Verdict((Part(statement, None, too_short(curves.epochs)),), (curves.file,))
    gain = curves.at("train_accuracy", 20) - curves.at("train_accuracy", 1)
    return Verdict((above(statement, gain, 0, points, "the difference"),), (curves.file,))


def too_short(epochs: int) -> str:
    """Why a training or an exercise of `epochs` epochs does not test a statement."""
    return f"only {epochs} epochs were trained" if epochs else OFF


def _compare_rates(evidence: Evidence, curves: Curves, epoch: int) -> list[Part]:
    """Compare a rate of 10 with each of the others by their losses after an epoch.

    A rate at which a training has diverged by then counts as worse.
    """
    about = evidence.about("perceptron")
    diverged = [one["training"] for one in about["diverged"]]
    names = dict.fromkeys([curve.training for curve in curves] + diverged)
    if about["epochs"] < epoch or LECTURES_RATE not in names:
        statement = f"a rate of 10 is a good choice for {epoch} epochs"
        found = too_short(about["epochs"]) if about["epochs"] < epoch else "it was not tried"
        return [Part(statement, None, found)]
    seeds = len({curve.seed for curve in curves})
    losses = {
        name: curves.of(name).at("train_loss", epoch)
        for name in names
        if len(curves.of(name)) == seeds and curves.of(name).epochs >= epoch
    }
    best = min(losses, key=lambda name: float(losses[name].mean()), default="none")
    parts = []
    for name in names:
        if name == LECTURES_RATE:
            continue
        other = name.split()[1]
        statement = f"after {epoch} epochs, a rate of 10 is better than {other}"
        if LECTURES_RATE not in losses:
            parts.append(Part(statement, False, "a training at a rate of 10 diverged"))
        elif name not in losses:
            parts.append(Part(statement, True, "a training at the other rate diverged"))
        else:
            more = losses[name] - losses[LECTURES_RATE]
            what = f"the training loss at {other} minus that at 10"
            parts.append(above(statement, more, 0, number, what))
    if parts:
        found = f"{parts[0].found}; the best of the {len(names)} rates is {best.split()[-1]}"
        parts[0] = replace(parts[0], found=found)
    return parts
