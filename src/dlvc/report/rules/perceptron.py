"""Rules for the claims of lecture 5."""

from __future__ import annotations

from dlvc.evidence.outs import Evidence
from dlvc.report.verdict import Part, Verdict, figure, rises, spread

SLOW = 0.01  # share of the loss per epoch
OFF = "this exercise is off in this profile; `make run PROFILE=laptop` runs it"


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
        ),
        (curves.file,),
    )


def after_twenty(evidence: Evidence) -> Verdict:
    """05-2: the training accuracy is 12.5 % and the test accuracy 0 % after 20 epochs."""
    curves = evidence.curves("perceptron")
    epoch = min(20, curves.epochs)
    test = curves.at("test_accuracy", epoch)
    return Verdict(
        (
            figure(
                "12.5 % of the training images are classified correctly",
                curves.at("train_accuracy", epoch),
                0.125,
                0.02,
                comparable=evidence.has_cifar10 and epoch == 20,
            ),
            Part(
                "no test image is classified correctly",
                bool(test.max() <= 0.01),
                f"we measure {spread(test)}",
            ),
        ),
        (curves.file,),
    )


def after_two_hundred(evidence: Evidence) -> Verdict:
    """05-3: about 200 epochs give 10 to 12 %."""
    curves = evidence.exercise("perceptron").of("rate 10")
    statement = "about 200 epochs give a test accuracy of 10 to 12 %"
    if curves.epochs < 200:
        return Verdict((Part(statement, None, OFF),), (curves.file,))
    found = curves.at("test_accuracy", 200)
    holds = bool(0.095 <= found.mean() <= 0.125) if evidence.has_cifar10 else None
    text = f"we measure {spread(found)}"
    if curves.epochs >= 2000:
        text += f", and {spread(curves.at('test_accuracy', 2000))} after 2,000 epochs"
    if not evidence.has_cifar10:
        text += ", but its images are not the lecture's"
    return Verdict((Part(statement, holds, text),), (curves.file,))


def best_rate(evidence: Evidence) -> Verdict:
    """05-4: a learning rate of 10 is a good choice compared with 100 and 0.001."""
    curves = evidence.exercise("perceptron")
    epoch = min(200, curves.epochs)
    if not epoch:
        return Verdict((Part("a learning rate of 10 is a good choice", None, OFF),), (curves.file,))
    losses = {
        name: float(curves.of(name).at("train_loss", epoch).mean())
        for name in dict.fromkeys(curve.training for curve in curves)
    }
    at_ten = losses.get("rate 10")
    return Verdict(
        tuple(
            Part(
                f"a learning rate of 10 is better than {name.removeprefix('rate ')}",
                None if at_ten is None else at_ten < loss,
                f"the training loss after {epoch} epochs is {at_ten:.4f}, compared with {loss:.4f}",
            )
            for name, loss in losses.items()
            if name != "rate 10"
        ),
        (curves.file,),
    )
