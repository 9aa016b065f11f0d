"""Lecture 29."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dlvc.report.evidence import Evidence
from dlvc.report.rules.perceptron import OFF
from dlvc.report.verdict import Part, Verdict, figure, join, spread

FIRST_KERNELS = "results/lenet/conv1.npy"
VISIBLE = 0.1  # a change, as a share of a kernel's length
RANDOM = 2 / 24  # two directions of the 24 that a 5x5 kernel without its mean has


def ten_epochs(evidence: Evidence) -> Verdict:
    """29-1: 88 to 97 %, monotonically."""
    curves = evidence.curves("lenet")
    last = curves.at("test_accuracy", min(10, curves.epochs))
    comparable = evidence.has_mnist and curves.epochs >= 10
    first = curves.at("test_accuracy", 1)
    up = int((np.diff(curves.stack("train_loss")) > 0).sum())
    down = int((np.diff(curves.stack("test_accuracy")) < 0).sum())
    where = "" if comparable else ", on other images than the lecture's"
    return Verdict(
        (
            Part(
                "97 % in ten epochs",
                bool(last.min() >= 0.97) if comparable else None,
                f"here {spread(last)}{where}",
            ),
            figure("88 % after one", first, 0.8815, 0.02, comparable=comparable),
            Part(
                "both curves are monotonic",
                up == 0 and down == 0,
                f"{up} epochs raise the training loss, {down} lower the test accuracy, of "
                f"{len(curves)} x {curves.epochs - 1}",
            ),
        ),
        (curves.file,),
    )


def beats_mlp(evidence: Evidence) -> Verdict:
    """29-2: better than a fully connected net."""
    lenet, mlp = evidence.curves("lenet"), evidence.curves("optimizers@adam")
    epoch = min(lenet.epochs, mlp.epochs)
    ours, theirs = (side.at("test_accuracy", epoch) for side in (lenet, mlp))
    found = f"LeNet {spread(ours)}, MLP by Adam {spread(theirs)} after {epoch} epochs"
    return Verdict(
        (
            Part("LeNet's mean is above the MLP's", bool(ours.mean() > theirs.mean()), found),
            Part(
                "its worst seed is above the MLP's best",
                bool(ours.min() > theirs.max()),
                f"{ours.min():.1%} and {theirs.max():.1%}",
            ),
        ),
        (lenet.file, mlp.file),
    )


def kernels(evidence: Evidence) -> Verdict:
    """29-3: visible changes, gradient operators."""
    before, after = np.asarray(evidence.array(FIRST_KERNELS), dtype=np.float64)
    moved = np.linalg.norm(after - before, axis=(1, 2)) / np.linalg.norm(before, axis=(1, 2))
    parts = [
        Part(
            "the first kernels change visibly",
            bool(moved.mean() >= VISIBLE),
            f"by {moved.mean():.0%} of their length, on average",
        )
    ]
    files = [FIRST_KERNELS]
    epochs = evidence.about("lenet")["epochs"]
    statement = "with 100 epochs they look like gradient operators"
    if epochs:
        file = "results/claims/lenet/conv1.npy"
        files.append(file)
        shares = gradient_share(np.asarray(evidence.array(file), dtype=np.float64)).mean((0, 2))
        rose = shares[1] - shares[0]
        found = (
            f"a derivative of a Gaussian explains {shares[0]:.0%} of a kernel before and "
            f"{shares[1]:.0%} after {epochs} epochs ({RANDOM:.0%} of a random one)"
        )
        parts.append(Part(statement, bool(shares[1] >= 0.5), found))
        parts.append(
            Part("they come closer to them", bool(rose >= 0.05), f"by {100 * rose:.0f} points")
        )
    else:
        parts.append(Part(statement, None, OFF))
    return Verdict(tuple(parts), tuple(files))


def gradient_share(kernels: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of each kernel `(..., 5, 5)`, less its mean, that the derivative of a Gaussian
    (σ = 1 pixel) in the best direction explains.

    The derivatives along x and along y are orthogonal, and one in any other direction is a sum of
    them: the share is the squared length of the projection on their plane, over the whole.

    >>> sobel = np.outer([1.0, 2, 3, 2, 1], [-1, -2, 0, 2, 1])
    >>> round(float(gradient_share(sobel)), 2)
    0.96
    """
    centred = kernels - kernels.mean(axis=(-2, -1), keepdims=True)
    axis = np.arange(5) - 2
    smooth = np.exp(-(axis**2) / 2)
    along_x = np.outer(smooth, -axis * smooth)
    plane = np.stack([along_x, along_x.T]) / np.linalg.norm(along_x)
    inside = np.einsum("...ij,kij->...k", centred, plane)
    share: NDArray[np.float64] = (inside**2).sum(-1) / (centred**2).sum((-2, -1))
    return share


def parameters(evidence: Evidence) -> Verdict:
    """29-4: independent of batch and image size."""
    rows = evidence.table("sizes")

    def differs(column: str, by: str) -> bool:
        """Whether a column changes when only `by` does."""
        other = "batch_size" if by == "image_size" else "image_size"
        groups: dict[str, set[str]] = {}
        for row in rows:
            groups.setdefault(row[other], set()).add(row[column])
        return any(len(found) > 1 for found in groups.values())

    whole = sorted({f"{int(row['parameters']):,}" for row in rows})
    sizes = sorted({row["image_size"] for row in rows})
    outputs = sorted({row["convolution_output"] for row in rows})
    return Verdict(
        (
            Part(
                "not on the batch size",
                not differs("parameters", "batch_size"),
                f"{' or '.join(whole)} parameters, for one image and for two",
            ),
            Part(
                "of the convolutions, not on the image size",
                not differs("convolution_parameters", "image_size"),
                f"{rows[0]['convolution_parameters']} at {' and '.join(sizes)} px",
            ),
            Part(
                "of the whole net, not on the image size",
                not differs("parameters", "image_size"),
                f"{' and '.join(whole)} at {' and '.join(sizes)} px: the first linear layer takes "
                "whatever the convolutions put out",
            ),
            Part(
                "the output sizes depend on both",
                differs("convolution_output", "image_size")
                and differs("convolution_output", "batch_size"),
                f"{join(outputs)} numbers",
            ),
        ),
        ("results/costs/sizes.csv",),
    )
