"""Rules for the claims of lecture 40 about what a training costs, and about over-fitting."""

from __future__ import annotations

import numpy as np

from dlvc.evidence.outs import Evidence
from dlvc.report.rules.densenet import COPIES, LARGER, MODELS, NO_GPU, gpu_run, rest, training
from dlvc.report.statistics import points
from dlvc.report.verdict import Part, Verdict


def memory(evidence: Evidence) -> Verdict:
    """40-6: with fewer parameters, batches of 32 images fit into the memory."""
    batch = evidence.params["costs.batch_size"]
    size = evidence.params["costs.image_size"]
    models = {name: evidence.models[name] for name in ("DenseNet-121", "VGG-16")}
    parameters = {name: COPIES * int(row["parameter_bytes"]) for name, row in models.items()}
    activations = {name: int(row["activation_bytes"]) for name, row in models.items()}
    measured = evidence.gpu.memory() if evidence.gpu else {}
    if measured:
        totals = {name: int(measured[name]["peak_memory"]) for name in models}
    else:
        totals = {name: parameters[name] + batch * activations[name] for name in models}
    how = f"measured on {evidence.gpu.card}" if evidence.gpu and measured else "counted"
    ours, theirs = totals.values()
    saved = parameters["VGG-16"] - parameters["DenseNet-121"]
    added = activations["DenseNet-121"] - activations["VGG-16"]
    found = (
        f"for batches of {batch} at {size} px, DenseNet-121 needs {ours / 1e9:.2f} GB and VGG-16 "
        f"{theirs / 1e9:.2f} GB ({how})"
    )
    parts = [Part("DenseNet-121 needs less memory than VGG-16", ours < theirs, found)]
    reason = f"parameters, gradients and Adam's means save {saved / 1e9:.2f} GB"
    if added > 0:
        reason += (
            f", and activations take {added / 1e6:.0f} MB more per image, so by our count the "
            f"advantage ends at batches of {saved // added + 1}"
        )
    statement = "this is because it has fewer parameters"
    parts.append(Part(statement, ours < theirs and saved >= (theirs - ours) / 2, reason))
    files = (MODELS, *([evidence.gpu.file("memory")] if evidence.gpu else []))
    return Verdict(tuple(parts), files)


def time(evidence: Evidence) -> Verdict:
    """40-7: with fewer parameters, an epoch takes less time."""
    measured = evidence.gpu.memory() if evidence.gpu else {}
    if evidence.gpu is None or not measured:
        return Verdict((Part("an epoch takes less time", None, NO_GPU),), (MODELS,))
    seconds = {name: float(row["seconds_of_update"]) for name, row in measured.items()}
    ours = seconds["DenseNet-121"]
    parts = [
        Part(
            f"an update takes less time than with {name}",
            ours < seconds[name],
            f"{1000 * ours:.0f} ms, compared with {1000 * seconds[name]:.0f} ms in float32 on "
            f"{evidence.gpu.card}",
        )
        for name in LARGER
    ]
    return Verdict(tuple(parts), (evidence.gpu.file("memory"),))


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
    curves = training(evidence)
    statement = "the difference between training and test accuracy grows"
    if gpu_run(evidence) is None or curves.epochs < 2:
        return Verdict((Part(statement, None, NO_GPU),), (curves.file,))
    images = evidence.images("photos")["test"]["images"]
    accuracies = np.stack([curves.stack("train_accuracy_after"), curves.stack("test_accuracy")])
    ends = accuracies[:, :, [0, -1]]  # training or test, seeds, first or last epoch
    gaps = ends[0] - ends[1]
    # Both accuracies are of as many images.
    errors = np.sqrt((ends * (1 - ends) / images).sum(axis=(0, 2)))
    grown = gaps[:, 1] - gaps[:, 0]
    found = (
        f"from {points(gaps[:, 0].mean())} after the first epoch to {points(gaps[:, 1].mean())} "
        f"after epoch {curves.epochs}, where a standard error is {points(errors.mean())[1:]}"
    )
    part = Part(statement, bool((grown > 2 * errors).all()), found)
    return Verdict((part, *rest(evidence, curves)), (curves.file,))


def generalization(evidence: Evidence) -> Verdict:
    """40-10: the test loss comes down faster than the training loss."""
    curves = training(evidence)
    statement = "the test loss falls further than the training loss"
    if gpu_run(evidence) is None or curves.epochs < 2:
        return Verdict((Part(statement, None, NO_GPU),), (curves.file,))
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
