"""Rules for the claims of lecture 40."""

from __future__ import annotations

import numpy as np

from dlvc.evidence.curves import Numbers
from dlvc.evidence.outs import Evidence
from dlvc.report.rules.lenet import VISIBLE
from dlvc.report.rules.perceptron import OFF
from dlvc.report.verdict import Part, Verdict, figure, join, spread

MODELS = "results/costs/models.csv"
FIRST_KERNELS = "results/densenet/conv0.npy"
COPIES = 4  # numbers per parameter in training: itself, its gradient, and Adam's two means
LECTURE_SIZE = 224  # pixels


def count(evidence: Evidence) -> Verdict:
    """40-1: DenseNet-121 has 7,978,856 parameters."""
    found = int(evidence.models["DenseNet-121"]["parameters"])
    part = Part("it has 7,978,856 parameters", found == 7_978_856, f"the count is {found:,}")
    return Verdict((part,), (MODELS,))


def half_a_resnet(evidence: Evidence) -> Verdict:
    """40-2: half of a residual network's parameters give the same accuracy."""
    parameters = int(evidence.models["DenseNet-121"]["parameters"])
    ratios = {
        name: parameters / int(row["parameters"])
        for name, row in evidence.models.items()
        if name.startswith("ResNet")
    }
    half = [name for name, ratio in ratios.items() if 0.4 <= ratio <= 0.6]
    parts = [
        Part(
            "it has about half as many parameters as a residual network",
            bool(half),
            join([f"{ratio:.2f} times as many as {name}" for name, ratio in ratios.items()]),
        )
    ]
    resnet, densenet = evidence.exercise("resnet"), evidence.curves("densenet")
    epoch = min(resnet.epochs, densenet.epochs)
    statement = "the accuracy is the same"
    size = evidence.params["densenet.image_size"]
    if epoch and evidence.params["claims.resnet.image_size"] == size:
        ours, theirs = (curves.at("test_accuracy", epoch) for curves in (densenet, resnet))
        difference = float(theirs.mean() - ours.mean())
        found = (
            f"DenseNet-121 reaches {spread(ours)} and ResNet-18 {spread(theirs)} after {epoch} "
            f"epochs at {size} px"
        )
        parts.append(Part(statement, abs(difference) <= 0.02, found))
    else:
        parts.append(Part(statement, None, OFF))
    return Verdict(tuple(parts), (MODELS, resnet.file, densenet.file))


def oscillation(evidence: Evidence) -> Verdict:
    """40-3: the test accuracy goes from 59 to 86 % and oscillates."""
    curves = evidence.curves("densenet")
    size = evidence.params["densenet.image_size"]
    comparable = evidence.has_cifar10 and size == LECTURE_SIZE
    parts = []
    for epoch, printed in ((1, 0.5927), (10, 0.8606)):
        statement = f"the test accuracy is {printed:.0%} after epoch {epoch}"
        if curves.epochs < epoch:
            parts.append(Part(statement, None, f"this run has {curves.epochs} epochs"))
        elif comparable:
            ours = curves.at("test_accuracy", epoch)
            parts.append(figure(statement, ours, printed, 0.02, comparable=True))
        else:
            ours = curves.at("test_accuracy", epoch)
            condition = f"at {size} px" if evidence.has_cifar10 else "on other images"
            parts.append(Part(statement, None, f"we measure {spread(ours)}, but {condition}"))
    accuracy = curves.stack("test_accuracy")
    statement = "it oscillates from about the fourth epoch on"
    if curves.epochs >= 8:
        falls = int((np.diff(accuracy[:, 2:], axis=1) < 0).sum(axis=1).min())
        found = f"it falls {falls} times from the fourth epoch on"
        parts.append(Part(statement, falls >= 2, found))
    else:
        parts.append(Part(statement, None, f"{curves.epochs} epochs are too few to test this"))
    return Verdict(tuple(parts), (curves.file,))


def test_loss(evidence: Evidence) -> Verdict:
    """40-4: the test loss is above the training loss."""
    curves = evidence.curves("densenet")
    gap = curves.stack("test_loss") - curves.stack("train_loss")
    above = int((gap > 0).sum())
    found = f"it is above at {above} of {gap.size} epochs"
    below = [str(epoch + 1) for epoch in np.flatnonzero((gap <= 0).any(axis=0))]
    if below:
        epochs = "epoch" if len(below) == 1 else "epochs"
        found += (
            f"; it is not after {epochs} {join(below)}, because the training loss is a mean over "
            "the epoch and comes from less trained weights"
        )
    last = float(gap[:, -1].mean())
    return Verdict(
        (
            Part("the test loss is above at every epoch", above == gap.size, found),
            Part(
                "it is above at some epoch",
                above > 0,
                f"the difference is {last:+.3f} after the last epoch",
            ),
        ),
        (curves.file,),
    )


def colours(evidence: Evidence) -> Verdict:
    """40-5: training changes the intensity of the first kernels, but hardly their colours.

    A kernel's change is split into two orthogonal parts: the mean of the three colours (intensity)
    and their deviations from it (shade). A random change is on average the same share of both.
    """
    before, after = np.asarray(evidence.array(FIRST_KERNELS), dtype=np.float64)  # (64, 7, 7, 3)

    def shade(kernels: Numbers) -> Numbers:
        deviations: Numbers = kernels - kernels.mean(axis=-1, keepdims=True)
        return deviations

    def change(old: Numbers, new: Numbers) -> float:
        """The median over the kernels of the change's length, as a share of the old length."""
        changes, lengths = (np.sqrt((part**2).sum((1, 2, 3))) for part in (new - old, old))
        return float(np.median(changes / lengths))

    shades = change(shade(before), shade(after))
    intensities = change(before - shade(before), after - shade(after))
    return Verdict(
        (
            Part(
                "the intensities change",
                intensities >= VISIBLE,
                f"by {intensities:.0%} of their length in the median kernel",
            ),
            Part("the shades hardly change", 2 * shades <= intensities, f"by {shades:.0%}"),
        ),
        (FIRST_KERNELS,),
    )


def memory(evidence: Evidence) -> Verdict:
    """40-6: DenseNet needs less memory, and parameters and activations fill it."""
    batch = evidence.params["costs.batch_size"]
    size = evidence.params["costs.image_size"]

    def needs(name: str) -> tuple[int, int]:
        """The bytes that training takes for parameters and for activations."""
        row = evidence.models[name]
        return COPIES * int(row["parameter_bytes"]), batch * int(row["activation_bytes"])

    ours, theirs, residual = (needs(name) for name in ("DenseNet-121", "VGG-16", "ResNet-50"))
    share = ours[0] / sum(ours)
    return Verdict(
        (
            Part(
                "fewer parameters leave memory free",
                sum(ours) < sum(theirs),
                f"to train with batches of {batch} at {size} px, DenseNet-121 needs "
                f"{sum(ours) / 1e9:.2f} GB, VGG-16 {sum(theirs) / 1e9:.2f} GB and ResNet-50 "
                f"{sum(residual) / 1e9:.2f} GB",
            ),
            Part(
                "parameters and activations fill the memory",
                0.1 <= share <= 0.9,
                f"parameters, gradients and Adam's means take {share:.1%}, activations the rest",
            ),
        ),
        (MODELS,),
    )
