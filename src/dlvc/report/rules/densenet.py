"""Lecture 40."""

from __future__ import annotations

import numpy as np

from dlvc.report.evidence import Evidence, Numbers
from dlvc.report.rules.lenet import VISIBLE
from dlvc.report.rules.perceptron import OFF
from dlvc.report.verdict import Part, Verdict, figure, join, spread

MODELS = "results/costs/models.csv"
FIRST_KERNELS = "results/densenet/conv0.npy"
COPIES = 4  # of each parameter in training: itself, its gradient, and Adam's two means
LECTURE_SIZE = 224  # pixels


def count(evidence: Evidence) -> Verdict:
    """40-1: 7,978,856."""
    found = int(evidence.models["DenseNet-121"]["parameters"])
    part = Part("7,978,856 parameters", found == 7_978_856, f"{found:,}")
    return Verdict((part,), (MODELS,))


def half_a_resnet(evidence: Evidence) -> Verdict:
    """40-2: half the parameters, the same accuracy."""
    ours = int(evidence.models["DenseNet-121"]["parameters"])
    ratios = {
        name: ours / int(row["parameters"])
        for name, row in evidence.models.items()
        if name.startswith("ResNet")
    }
    half = [name for name, ratio in ratios.items() if 0.4 <= ratio <= 0.6]
    parts = [
        Part(
            "about half of a residual network's",
            bool(half),
            join([f"{ratio:.2f} of {name}'s" for name, ratio in ratios.items()]),
        )
    ]
    resnet, densenet = evidence.exercise("resnet"), evidence.curves("densenet")
    epoch = min(resnet.epochs, densenet.epochs)
    statement = "at the same accuracy"
    if (
        epoch
        and evidence.params["claims.resnet.image_size"] == evidence.params["densenet.image_size"]
    ):
        sides = [side.at("test_accuracy", epoch) for side in (densenet, resnet)]
        apart = float(sides[1].mean() - sides[0].mean())
        found = (
            f"DenseNet-121 {spread(sides[0])}, ResNet-18 {spread(sides[1])} after {epoch} epochs "
            f"at {evidence.params['densenet.image_size']} px"
        )
        parts.append(Part(statement, abs(apart) <= 0.02, found))
    else:
        parts.append(Part(statement, None, OFF))
    return Verdict(tuple(parts), (MODELS, resnet.file, densenet.file))


def oscillation(evidence: Evidence) -> Verdict:
    """40-3: 59 to 86 %, oscillating."""
    curves = evidence.curves("densenet")
    size = evidence.params["densenet.image_size"]
    comparable = evidence.has_cifar10 and size == LECTURE_SIZE
    parts = []
    for epoch, printed in ((1, 0.5927), (10, 0.8606)):
        statement = f"{printed:.0%} after epoch {epoch}"
        if curves.epochs < epoch:
            parts.append(Part(statement, None, f"there are {curves.epochs} epochs here"))
        elif comparable:
            ours = curves.at("test_accuracy", epoch)
            parts.append(figure(statement, ours, printed, 0.02, comparable=True))
        else:
            ours = curves.at("test_accuracy", epoch)
            why = f"at {size} px" if evidence.has_cifar10 else "on other images"
            parts.append(Part(statement, None, f"here {spread(ours)}, {why}"))
    accuracy = curves.stack("test_accuracy")
    statement = "oscillating from about the fourth epoch"
    if curves.epochs >= 8:
        falls = int((np.diff(accuracy[:, 2:], axis=1) < 0).sum(axis=1).min())
        found = f"the test accuracy falls {falls} times from the fourth epoch on"
        parts.append(Part(statement, falls >= 2, found))
    else:
        parts.append(Part(statement, None, f"{curves.epochs} epochs are too few to tell"))
    return Verdict(tuple(parts), (curves.file,))


def test_loss(evidence: Evidence) -> Verdict:
    """40-4: above the training loss."""
    curves = evidence.curves("densenet")
    gap = curves.stack("test_loss") - curves.stack("train_loss")
    above = int((gap > 0).sum())
    found = f"at {above} of {gap.size} epochs"
    below = [str(epoch + 1) for epoch in np.flatnonzero((gap <= 0).any(axis=0))]
    if below:
        found += (
            f"; not after epoch {join(below)}, where the training loss, a mean over the epoch, "
            "comes from weights that had learned less"
        )
    last = float(gap[:, -1].mean())
    return Verdict(
        (
            Part("at every epoch", above == gap.size, found),
            Part("at some epoch", above > 0, f"{last:+.3f} at the last"),
        ),
        (curves.file,),
    )


def colours(evidence: Evidence) -> Verdict:
    """40-5: intensity, not proportion.

    A kernel's change is cut in two that are orthogonal: what all three colours have in common, and
    how they differ. A change in any direction, at random, is the same share of both.
    """
    before, after = np.asarray(evidence.array(FIRST_KERNELS), dtype=np.float64)  # (64, 7, 7, 3)

    def shade(kernels: Numbers) -> Numbers:
        differing: Numbers = kernels - kernels.mean(axis=-1, keepdims=True)
        return differing

    def change(old: Numbers, new: Numbers) -> float:
        """Of the median kernel, as a share of its length before."""
        lengths = [np.sqrt((part**2).sum((1, 2, 3))) for part in (new - old, old)]
        return float(np.median(lengths[0] / lengths[1]))

    shades = change(shade(before), shade(after))
    intensities = change(before - shade(before), after - shade(after))
    return Verdict(
        (
            Part(
                "the intensities change",
                intensities >= VISIBLE,
                f"by {intensities:.0%} of their length, in the median kernel",
            ),
            Part("the shades hardly do", 2 * shades <= intensities, f"by {shades:.0%}"),
        ),
        (FIRST_KERNELS,),
    )


def memory(evidence: Evidence) -> Verdict:
    """40-6: what fills the memory."""
    batch = evidence.params["costs.batch_size"]
    size = evidence.params["costs.image_size"]

    def needs(name: str) -> tuple[int, int]:
        row = evidence.models[name]
        return COPIES * int(row["parameter_bytes"]), batch * int(row["activation_bytes"])

    ours, theirs, residual = (needs(name) for name in ("DenseNet-121", "VGG-16", "ResNet-50"))
    share = ours[0] / sum(ours)
    return Verdict(
        (
            Part(
                "fewer parameters leave memory",
                sum(ours) < sum(theirs),
                f"{sum(ours) / 1e9:.2f} GB, VGG-16 {sum(theirs) / 1e9:.2f} GB, to train on "
                f"batches of {batch} at {size} px; but ResNet-50 {sum(residual) / 1e9:.2f} GB",
            ),
            Part(
                "parameters and activations fill it",
                0.1 <= share <= 0.9,
                f"parameters, gradients and Adam's means make {share:.1%}, activations the rest",
            ),
        ),
        (MODELS,),
    )
