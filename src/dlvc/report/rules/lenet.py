"""Rules for the claims of lecture 29."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dlvc.evidence.curves import Curves, at_best_rate, of_same_seeds
from dlvc.evidence.outs import MNIST_IMAGES, TIMES, Evidence
from dlvc.report.operators import explained_share, shares_of_random_kernels
from dlvc.report.statistics import LEVEL, above, as_p, percent, points, printed_curve
from dlvc.report.verdict import NO_JUDGE, NOT_COMPARABLE, OFF, Part, Verdict, rises

EPOCHS = 10  # of the lecture
FIRST_KERNELS = "results/lenet/conv1.npy"
LATER_KERNELS = "results/claims/lenet/conv1.npy"
LONG = 100  # epochs after which the lecture expects gradient operators
DRAWS = 10_000  # means of random kernels
ADAM_EPOCHS = 5  # whose time SGD gets, too


def ten_epochs(evidence: Evidence) -> Verdict:
    """29-1: the test accuracy rises monotonically from 88 to 97 %."""
    curves = evidence.curves("lenet")
    comparable = evidence.has_mnist and curves.epochs >= EPOCHS
    reached = curves.at("test_accuracy", EPOCHS) if comparable else np.array([])
    return Verdict(
        (
            _if_comparable(
                above(
                    "the test accuracy passes 97 % in ten epochs",
                    reached, 0.97, percent, "the mean after ten epochs",
                ),
                comparable=comparable,
            ),
            _if_comparable(_monotonic(curves), comparable=comparable),
            printed_curve(
                "the printed training losses may be those of one more seed",
                curves, "train_loss_lecture_scale", evidence.printed["lenet"],
                comparable=comparable,
            ),
            printed_curve(
                "the printed test accuracies may be those of one more seed",
                curves, "test_accuracy", evidence.printed["lenet"], comparable=comparable,
            ),
        ),
        (curves.file,),
    )  # fmt: skip


def _monotonic(curves: Curves) -> Part:
    losses, accuracies = (
        curves.stack(metric)[:, :EPOCHS] for metric in ("train_loss", "test_accuracy")
    )
    monotonic = sum(
        rises(loss) == 0 and (np.diff(accuracy) >= 0).all()
        for loss, accuracy in zip(losses, accuracies, strict=True)
    )
    found = (
        f"they are for {monotonic} of {len(curves)} seeds; of {len(curves)} x {EPOCHS - 1} epochs, "
        f"{rises(losses)} raise the training loss and {int((np.diff(accuracies) < 0).sum())} lower "
        "the test accuracy"
    )
    return Part("both curves are monotonic for most seeds", monotonic > len(curves) / 2, found)


def beats_mlp(evidence: Evidence) -> Verdict:
    """29-2: LeNet is better than a fully connected network that began as an autoencoder."""
    lenet, mlp = evidence.curves("lenet"), evidence.curves("optimizers@adam")
    comparable = evidence.has_mnist and min(lenet.epochs, mlp.epochs) >= EPOCHS
    ours, theirs = (
        curves.at("test_accuracy", EPOCHS) if comparable else np.array([])
        for curves in (lenet, mlp)
    )
    part = above(
        "LeNet's test accuracy is above the 95 % of the lecture's network",
        ours, 0.95, percent, "its mean after ten epochs",
    )  # fmt: skip
    if comparable:
        mlp_reaches = f"our MLP, trained with Adam, reaches {percent(theirs.mean())}"
        part = replace(part, found=f"{part.found}; {mlp_reaches}")
    return Verdict(
        (
            _if_comparable(part, comparable=comparable),
            Part(
                "it takes much less time",
                None,
                "the lecture prints no time for the network that began as an autoencoder",
            ),
        ),
        (lenet.file, mlp.file),
    )


def kernels(evidence: Evidence) -> Verdict:
    """29-3: the first kernels change and become gradient operators."""
    before, after = np.asarray(evidence.array(FIRST_KERNELS), dtype=np.float64)
    changes = np.linalg.norm(after - before, axis=(1, 2)) / np.linalg.norm(before, axis=(1, 2))
    change = Part(
        "the first kernels change",
        None,
        f"by {changes.mean():.0%} of their length on average in {evidence.curves('lenet').epochs} "
        "epochs; the lecture does not say when a change is visible",
    )
    about = evidence.about("lenet")
    epochs = evidence.exercise("lenet").epochs
    statements = (
        f"after {LONG} epochs they are more like gradient operators than random kernels are",
        "a gradient operator explains more than half of a kernel",
    )
    if not (evidence.has_mnist and about["images"] >= MNIST_IMAGES and epochs >= LONG):
        reason = NOT_COMPARABLE if epochs else OFF
        untested = (Part(statement, None, reason) for statement in statements)
        return Verdict((change, *untested), (FIRST_KERNELS,))
    untrained, trained = explained_share(
        np.moveaxis(np.asarray(evidence.array(LATER_KERNELS), dtype=np.float64), 1, 0)
    ).reshape(2, -1)
    generator = np.random.default_rng(29)
    by_chance = shares_of_random_kernels(trained.size, DRAWS, generator)
    bound = float(np.quantile(by_chance, LEVEL))
    p_value = (1 + int((by_chance >= trained.mean()).sum())) / (1 + DRAWS)
    return Verdict(
        (
            change,
            Part(
                statements[0],
                bool(trained.mean() > bound),
                f"after {epochs} epochs the best operator explains {percent(trained.mean())} of "
                f"one of the {trained.size} kernels on average; of {DRAWS:,} means of as many "
                f"random kernels, 95 % lie below {percent(bound)} ({as_p(p_value)})",
            ),
            Part(
                statements[1],
                bool(trained.mean() > 0.5),
                f"{percent(trained.mean())} on average, and {percent(untrained.mean())} before "
                "training",
            ),
        ),
        (FIRST_KERNELS, LATER_KERNELS),
    )


def parameters(evidence: Evidence) -> Verdict:
    """29-4: the batch size changes the size of the outputs, not the number of parameters."""
    one, two = evidence.table("sizes")
    return Verdict(
        (
            Part(
                "the batch size does not influence the number of parameters",
                one["parameters"] == two["parameters"],
                f"{int(one['parameters']):,} for one image and {int(two['parameters']):,} for two",
            ),
            Part(
                "it influences the size of the outputs",
                one["output"] != two["output"],
                f"{one['output']} for one image and {two['output']} for two",
            ),
        ),
        ("results/costs/sizes.csv",),
    )


def adam_or_sgd(evidence: Evidence) -> Verdict:
    """29-5: an epoch with Adam takes longer than with SGD, but in total Adam is faster."""
    times = evidence.times["lenet"]
    ratios = np.array(times["adam"]) / np.array(times["sgd"])
    exercise = evidence.exercise("lenet_sgd")
    return Verdict(
        (
            above(
                "an epoch with Adam takes longer than one with SGD",
                ratios, 1.0, "{:.3f}".format, f"the mean ratio of their times ({times['machine']})",
                unit="turn",
            ),
            _faster_in_total(evidence, exercise, float(ratios.mean())),
        ),
        (TIMES, exercise.file),
    )  # fmt: skip


def _faster_in_total(evidence: Evidence, exercise: Curves, ratio: float) -> Part:
    """Whether Adam is ahead after the time of five of its epochs. `ratio` is that of the times."""
    statement = "in total, Adam is faster"
    about = evidence.about("lenet_sgd")
    sgd_epochs = ADAM_EPOCHS * ratio
    if not about["epochs"]:
        return Part(statement, None, OFF)
    if not evidence.has_mnist or about["images"] < MNIST_IMAGES:
        return Part(statement, None, NOT_COMPARABLE)
    if about["epochs"] < max(ADAM_EPOCHS, sgd_epochs):
        found = f"in the time of Adam's {ADAM_EPOCHS} epochs, SGD has {sgd_epochs:.1f}"
        return Part(statement, None, f"{found}, but the exercise has {about['epochs']}")
    adam, sgd = of_same_seeds(*(at_best_rate(exercise, name) for name in ("Adam", "SGD")))
    if not (len(adam) and len(sgd)):
        return Part(statement, None, NO_JUDGE)
    by_sgd = [np.interp(sgd_epochs, curve["epoch"], curve["test_accuracy"]) for curve in sgd]
    ahead = adam.at("test_accuracy", ADAM_EPOCHS) - np.array(by_sgd)
    rates = " and ".join(curves.curves[0].training for curves in (adam, sgd))
    what = f"the mean test accuracy with Adam minus that with SGD after the same time ({rates})"
    return above(statement, ahead, 0.0, points, what)


def _if_comparable(part: Part, *, comparable: bool) -> Part:
    return part if comparable else Part(part.statement, None, NOT_COMPARABLE)
