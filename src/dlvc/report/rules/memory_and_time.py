"""Rules for the claims of lecture 40 about what a training costs, and about over-fitting."""

from __future__ import annotations

import numpy as np

from dlvc.evidence.outs import Evidence
from dlvc.report.rules.densenet import (
    COPIES,
    LARGER,
    MODELS,
    NO_GPU,
    NOT_EVALUATED,
    evaluated,
    rest,
)
from dlvc.report.statistics import above, error_of_accuracies, number, points
from dlvc.report.verdict import Part, Verdict

TURNS = 3  # in which the models are timed


def memory(evidence: Evidence) -> Verdict:
    """40-6: with fewer parameters, batches of 32 images fit into the memory."""
    batch = evidence.params["costs.batch_size"]
    size = evidence.params["costs.image_size"]
    names = ("DenseNet-121", "VGG-16")
    models = [evidence.models[name] for name in names]
    of_parameters = np.array([COPIES * int(row["parameter_bytes"]) for row in models])
    measured = evidence.gpu.memory() if evidence.gpu else {}
    if evidence.gpu and measured.keys() >= set(names):
        kept, total = (
            np.array([int(measured[name][column]) for name in names])
            for column in ("activation_memory", "peak_memory")
        )
        how, file = f"measured on {evidence.gpu.card}", evidence.gpu.file("memory")
    else:
        kept = np.array([batch * int(row["activation_bytes"]) for row in models])
        total, how, file = of_parameters + kept, "counted", MODELS
    ours, theirs = total / 1e9
    found = (
        f"for batches of {batch} at {size} px, DenseNet-121 needs {ours:.2f} GB and VGG-16 "
        f"{theirs:.2f} GB ({how})"
    )
    fewer, activations, other = (
        (vgg - densenet) / 1e9
        for densenet, vgg in (of_parameters, kept, total - of_parameters - kept)
    )
    reason = (
        f"of the difference of {theirs - ours:.2f} GB, parameters, gradients and Adam's means make "
        f"up {fewer:+.2f} GB (counted, {COPIES} numbers per parameter), activations "
        f"{activations:+.2f} GB, and other memory, most of it temporary, {other:+.2f} GB"
    )
    return Verdict(
        (
            Part("DenseNet-121 needs less memory than VGG-16", bool(ours < theirs), found),
            Part(
                "this is because it has fewer parameters",
                bool(ours < theirs <= ours + fewer),
                f"{reason}; with VGG-16's parameters, DenseNet-121 would need "
                f"{ours + fewer:.2f} GB",
            ),
        ),
        tuple(dict.fromkeys((MODELS, file))),
    )


def time(evidence: Evidence) -> Verdict:
    """40-7: with fewer parameters, an epoch takes less time."""
    names = ["DenseNet-121", *LARGER]
    seconds = evidence.gpu.turns("models", "seconds_of_update", names) if evidence.gpu else {}
    if evidence.gpu is None or len(seconds["DenseNet-121"]) < TURNS:
        reason = f"this needs {TURNS} turns on a GPU" if evidence.gpu else NO_GPU
        return Verdict((Part("an epoch takes less time", None, reason),), (MODELS,))
    ours = seconds["DenseNet-121"]
    parts = [
        above(
            f"an update takes less time than with {name}",
            seconds[name] / ours,
            1,
            number,
            f"{name}'s time over DenseNet-121's ({1000 * seconds[name].mean():.0f} and "
            f"{1000 * ours.mean():.0f} ms in float32 on {evidence.gpu.card})",
            unit="turn",
        )
        for name in LARGER
    ]
    return Verdict(tuple(parts), (evidence.gpu.file("models"),))


def activations(evidence: Evidence) -> Verdict:
    """40-8: with fewer parameters, the activations take less memory."""
    kept = {name: int(row["activation_bytes"]) for name, row in evidence.models.items()}
    ours = kept["DenseNet-121"]
    parts = [
        Part(
            f"its activations take less memory than those of {name}",
            ours < kept[name],
            f"{ours / 1e6:.0f} MB per image, compared with {kept[name] / 1e6:.0f} MB",
        )
        for name in LARGER
    ]
    return Verdict(tuple(parts), (MODELS,))


def over_fitting(evidence: Evidence) -> Verdict:
    """40-9: the training accuracy becomes high, and the test accuracy does not follow."""
    curves = evaluated(evidence)
    statement = "the difference between training and test accuracy grows"
    if curves.epochs < 2:
        return Verdict((Part(statement, None, NOT_EVALUATED),), (curves.file,))
    images = evidence.images("photos")["test"]["images"]
    trained, tested = curves.stack("train_accuracy_after"), curves.stack("test_accuracy")
    first, last = (trained[:, epoch] - tested[:, epoch] for epoch in (0, -1))
    # Both accuracies are of as many images.
    ends = (each[:, epoch] for each in (trained, tested) for epoch in (0, -1))
    errors = error_of_accuracies(*ends, images=images)
    found = (
        f"from {points(first.mean())} after the first epoch to {points(last.mean())} "
        f"after epoch {curves.epochs}, where a standard error is {points(errors.mean())[1:]}"
    )
    part = Part(statement, bool((last - first > 2 * errors).all()), found)
    return Verdict((part, *rest(evidence, curves)), (curves.file,))


def generalization(evidence: Evidence) -> Verdict:
    """40-10: the test loss comes down faster than the training loss."""
    curves = evaluated(evidence)
    statement = "the test loss falls further than the training loss"
    if curves.epochs < 2:
        return Verdict((Part(statement, None, NOT_EVALUATED),), (curves.file,))
    by_test, by_train = (
        (losses[:, 0] - losses[:, -1])
        for losses in (curves.stack("test_loss"), curves.stack("train_loss_after"))
    )
    found = (
        f"from the first epoch to epoch {curves.epochs}, the test loss falls by "
        f"{by_test.mean():.3f} and the training loss by {by_train.mean():.3f}"
    )
    part = Part(statement, bool((by_test > by_train).all()), found)
    return Verdict((part, *rest(evidence, curves)), (curves.file,))
