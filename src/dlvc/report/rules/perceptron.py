"""Lecture 5."""

from __future__ import annotations

from dlvc.report.evidence import Evidence
from dlvc.report.verdict import Part, Verdict, figure, rises, spread

SLOW = 0.01  # of the loss, an epoch
OFF = "off in this profile (`make run PROFILE=laptop` runs it)"


def loss_falls(evidence: Evidence) -> Verdict:
    """05-1: at every epoch, slowly."""
    curves = evidence.curves("perceptron")
    loss = curves.stack("train_loss")
    steps = loss[:, 1:].size
    a_step = float((1 - loss[:, 1:] / loss[:, :-1]).mean()) if steps else 0.0
    up = rises(loss)
    return Verdict(
        (
            Part(
                "the loss falls at every epoch",
                up == 0 if steps else None,
                f"{up} of {steps} epochs raise it",
            ),
            Part(
                "slowly",
                a_step < SLOW if steps and not up else None,
                f"by {a_step:.3%} an epoch, on average",
            ),
        ),
        (curves.file,),
    )


def after_twenty(evidence: Evidence) -> Verdict:
    """05-2: 12.5 % in training, none in testing."""
    curves = evidence.curves("perceptron")
    epoch = min(20, curves.epochs)
    test = curves.at("test_accuracy", epoch)
    return Verdict(
        (
            figure(
                "12.5 % of the training images are right",
                curves.at("train_accuracy", epoch),
                0.125,
                0.02,
                comparable=evidence.has_cifar10 and epoch == 20,
            ),
            Part("none of the test images is", bool(test.max() <= 0.01), f"here {spread(test)}"),
        ),
        (curves.file,),
    )


def after_two_hundred(evidence: Evidence) -> Verdict:
    """05-3: 10 to 12 %."""
    curves = evidence.exercise("perceptron").of("rate 10")
    statement = "about 200 epochs bring 10 to 12 %"
    if curves.epochs < 200:
        return Verdict((Part(statement, None, OFF),), (curves.file,))
    found = curves.at("test_accuracy", 200)
    holds = bool(0.095 <= found.mean() <= 0.125) if evidence.has_cifar10 else None
    where = "" if evidence.has_cifar10 else ", on other images than the lecture's"
    later = ""
    if curves.epochs >= 2000:
        later = f"; after 2,000 epochs {spread(curves.at('test_accuracy', 2000))}"
    return Verdict((Part(statement, holds, f"here {spread(found)}{later}{where}"),), (curves.file,))


def best_rate(evidence: Evidence) -> Verdict:
    """05-4: 10 against 100 and 0.001."""
    curves = evidence.exercise("perceptron")
    epoch = min(200, curves.epochs)
    if not epoch:
        return Verdict((Part("rate 10 is a good choice", None, OFF),), (curves.file,))
    losses = {one.training: 0.0 for one in curves}
    for name in losses:
        losses[name] = float(curves.of(name).at("train_loss", epoch).mean())
    ours = losses.get("rate 10")
    return Verdict(
        tuple(
            Part(
                f"10 is better than {name.removeprefix('rate ')}",
                None if ours is None else ours < loss,
                f"training loss {ours:.4f} beside {loss:.4f} after {epoch} epochs",
            )
            for name, loss in losses.items()
            if name != "rate 10"
        ),
        (curves.file,),
    )
