"""Rules for the claims of lecture 40."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from dlvc.evidence.curves import Curve, Curves, Numbers
from dlvc.evidence.gpu import GpuRun
from dlvc.evidence.outs import Evidence
from dlvc.report.statistics import (
    LEVEL,
    error_of_accuracies,
    holm,
    is_inside,
    mcnemar,
    percent,
    points,
    printed_curve,
)
from dlvc.report.verdict import Part, Verdict, join

MODELS = "results/costs/models.csv"
FIRST_KERNELS = "results/densenet/conv0.npy"
COPIES = 4  # numbers per parameter in training: itself, its gradient, and Adam's two means
LECTURE_SIZE, LECTURE_EPOCHS = 224, 10  # pixels, and epochs
LARGER = ("ResNet-18", "ResNet-34", "ResNet-50", "VGG-16")  # more parameters than DenseNet-121
NO_GPU = "this needs a GPU; docs/gpu says how to run it"
GPU_FILE = "docs/gpu/README.md"
NOT_EVALUATED = f"only `benchmarks.gpu` evaluates training images after each epoch; see {GPU_FILE}"


def count(evidence: Evidence) -> Verdict:
    """40-1: DenseNet-121 has 7,978,856 parameters."""
    found = int(evidence.models["DenseNet-121"]["parameters"])
    part = Part("it has 7,978,856 parameters", found == 7_978_856, f"the count is {found:,}")
    return Verdict((part,), (MODELS,))


def half_a_resnet(evidence: Evidence) -> Verdict:
    """40-2: half of a residual network's parameters give the same accuracy."""
    ours, theirs = (
        int(evidence.models[name]["parameters"]) for name in ("DenseNet-121", "ResNet-18")
    )
    size = Part(
        "it has about half as many parameters as ResNet-18",
        0.4 <= ours / theirs <= 0.6,
        f"it has {ours / theirs:.2f} times as many",
    )
    densenet, gpu = training(evidence), gpu_run(evidence)
    resnet = gpu.curves("resnet") if gpu else evidence.exercise("resnet")
    epochs = min(densenet.epochs, resnet.epochs)
    statement = "the accuracy is the same"
    if not is_lectures(evidence) or epochs < LECTURE_EPOCHS:
        found = (
            f"{limits(evidence)}; DenseNet-121 has {densenet.epochs} epochs and ResNet-18 has "
            f"{resnet.epochs}"
        )
        accuracy = Part(statement, None, found)
    else:
        accuracy = same_accuracy(
            statement,
            densenet.at("test_accuracy", epochs),
            resnet.at("test_accuracy", epochs),
            evidence.images("photos")["test"]["images"],
        )
    return Verdict((size, accuracy), (MODELS, densenet.file, resnet.file))


def same_accuracy(statement: str, ours: Numbers, theirs: Numbers, images: int) -> Part:
    """Whether two accuracies on as many test images differ by at most 2 points.

    The interval is that of the sampling of the images, by the normal approximation.
    """
    difference = float(ours.mean() - theirs.mean())
    half = 1.96 * float(error_of_accuracies(ours.mean(), theirs.mean(), images=images))
    low, high = difference - half, difference + half
    found = (
        f"DenseNet-121 reaches {percent(ours.mean())} and ResNet-18 {percent(theirs.mean())}: the "
        f"difference is {points(difference)} (95 % interval {points(low)} to {points(high)}, "
        f"n = {images:,} test images)"
    )
    holds = is_inside((low, high), (-0.02, 0.02))
    return Part(statement, holds, found, is_undecided=holds is None)


def oscillation(evidence: Evidence) -> Verdict:
    """40-3: the test accuracy goes from 59 to 86 % and oscillates."""
    curves = training(evidence)
    printed = printed_curve(
        "the printed test accuracies may be those of one more seed",
        curves,
        "test_accuracy",
        evidence.printed["densenet"],
        comparable=is_lectures(evidence),
    )
    statement = "it oscillates from about the fourth epoch on"
    if not is_lectures(evidence) or curves.epochs < LECTURE_EPOCHS:
        found = f"{limits(evidence)}; the test needs {LECTURE_EPOCHS} epochs"
        return Verdict((printed, Part(statement, None, found)), (curves.file,))
    images = evidence.images("photos")["test"]["images"]
    falls = [significant_falls(curve, images) for curve in curves]
    found = "; ".join(
        f"seed {curve.seed} falls significantly after "
        + (f"epochs {join([str(epoch) for epoch in of_seed])}" if of_seed else "no epoch")
        for curve, of_seed in zip(curves, falls, strict=True)
    )
    return Verdict((printed, Part(statement, all(falls), found)), (curves.file,))


def significant_falls(curve: Curve, images: int, first: int = 4) -> list[int]:
    """The epochs, from `first` on, that significantly lower the number of correct test images.

    The answers to the images before and after each epoch are compared by McNemar's exact test, and
    the p-values of all epochs are corrected by Holm's method. A curve that does not say which
    answers changed, which only the run on a GPU does, is compared as if the answers were
    independent, so that fewer falls are significant.
    """
    accuracy = curve["test_accuracy"]
    epochs = range(first, len(curve) + 1)
    p_values = []
    for epoch in epochs:
        if "lost" in curve.columns:
            p_value = mcnemar(int(curve["lost"][epoch - 1]), int(curve["gained"][epoch - 1]))
        else:
            before, after = accuracy[epoch - 2], accuracy[epoch - 1]
            error = error_of_accuracies(before, after, images=images)
            p_value = float(2 * norm.sf(abs(before - after) / error))
        p_values.append(p_value)
    return [
        epoch
        for epoch, p_value in zip(epochs, holm(p_values), strict=True)
        if accuracy[epoch - 1] < accuracy[epoch - 2] and p_value < 1 - LEVEL
    ]


def test_loss(evidence: Evidence) -> Verdict:
    """40-4: the test loss is above the training loss."""
    curves, trained = evaluated(evidence), training(evidence)
    every, some = "the test loss is above at every epoch", "it is above at some epoch"
    if curves.epochs:
        gap = curves.stack("test_loss") - curves.stack("train_loss_after")
        above = int((gap > 0).sum())
        found = f"it is above at {above} of {gap.size} epochs"
        parts = [
            Part(every, above == gap.size, found),
            Part(some, above > 0, f"the difference is {gap[:, -1].mean():+.3f} at the end"),
        ]
    else:
        parts = [Part(every, None, NOT_EVALUATED)]
    printed = printed_curve(
        "the printed training losses may be those of one more seed",
        trained,
        "train_loss_lecture_scale",
        evidence.printed["densenet"],
        comparable=is_lectures(evidence),
    )
    files = tuple(dict.fromkeys((curves.file, trained.file)))
    return Verdict((*parts, *rest(evidence, trained), printed), files)


def colours(evidence: Evidence) -> Verdict:
    """40-5: training changes the intensity of the first kernels, but hardly their colours.

    A kernel's change is split into two orthogonal parts: the mean of the three colours (intensity)
    and their deviations from it (shade). A random change is on average the same share of both.
    """
    curves, gpu = training(evidence), gpu_run(evidence)
    if gpu:
        file, of_seeds = gpu.file("bfloat16"), gpu.first_kernels("bfloat16", "seeds")
        kernels = [of_seeds[curve.seed] for curve in curves]
    else:
        file = FIRST_KERNELS
        kernels = [np.asarray(evidence.array(file), dtype=np.float64)]
    shares = [changes(*pair) for pair in kernels]
    found = "; ".join(
        f"by {intensity:.1%} and {shade:.1%} of their length in the median kernel"
        for intensity, shade in shares
    )
    part = Part(
        "the intensities change at least twice as much as the shades",
        all(intensity >= 2 * shade for intensity, shade in shares),
        f"{found}; {on_gray_images(gpu)}",
    )
    return Verdict((part, *rest(evidence, curves)), (file,))


def on_gray_images(gpu: GpuRun | None) -> str:
    """The control of 40-5, as text: it needs a GPU."""
    kernels = gpu.first_kernels("gray") if gpu else {}
    if not kernels:
        return "the control on gray images has not been run"
    intensity, shade = changes(*next(iter(kernels.values())))
    return f"on gray images by {intensity:.1%} and {shade:.1%}"


def changes(before: Numbers, after: Numbers) -> tuple[float, float]:
    """How much intensities and shades of kernels `(64, 7, 7, 3)` change.

    Both are medians over the kernels of the change's length, as a share of the length before.
    """

    def median_change(old: Numbers, new: Numbers) -> float:
        changed, lengths = (np.sqrt((part**2).sum((1, 2, 3))) for part in (new - old, old))
        return float(np.median(changed / lengths))

    intensities = [kernels.mean(axis=-1, keepdims=True) for kernels in (before, after)]
    shades = [
        kernels - intensity for kernels, intensity in zip((before, after), intensities, strict=True)
    ]
    # A mean counts for three colours, which changes neither share.
    return median_change(*intensities), median_change(*shades)


def gpu_run(evidence: Evidence) -> GpuRun | None:
    """The run on a GPU, which has the lecture's size, unless this run has that size, too."""
    return None if evidence.params["densenet.image_size"] == LECTURE_SIZE else evidence.gpu


def evaluated(evidence: Evidence) -> Curves:
    """The lecture's training, with the loss and the accuracy of training images after each epoch.

    Only the run on a GPU computes these in evaluation mode. Without it, there are no curves.
    """
    return evidence.gpu.lecture_densenet() if evidence.gpu else Curves(GPU_FILE, ())


def training(evidence: Evidence) -> Curves:
    """The lecture's training, from the run on a GPU if there is one."""
    gpu = gpu_run(evidence)
    return gpu.lecture_densenet() if gpu else evidence.curves("densenet")


def image_size(evidence: Evidence) -> int:
    """The width in pixels that `training` enlarges photographs to."""
    return LECTURE_SIZE if gpu_run(evidence) else int(evidence.params["densenet.image_size"])


def is_lectures(evidence: Evidence) -> bool:
    """Whether `training` has the lecture's images and their size."""
    return evidence.has_cifar10 and image_size(evidence) == LECTURE_SIZE


def limits(evidence: Evidence) -> str:
    """The images and the size of `training`, as the reason why a part is not tested."""
    images = "CIFAR-10" if evidence.has_cifar10 else "other images than CIFAR-10"
    return f"this training has {images} at {image_size(evidence)} px"


def rest(evidence: Evidence, curves: Curves) -> list[Part]:
    """What `training` cannot decide: an untested part unless it is the lecture's whole training."""
    if is_lectures(evidence) and curves.epochs >= LECTURE_EPOCHS:
        return []
    found = f"{limits(evidence)}, and {curves.epochs} epochs"
    return [Part(f"so it is at {LECTURE_SIZE} px after {LECTURE_EPOCHS} epochs", None, found)]
