"""Rules for the claims of lecture 29."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dlvc.evidence.outs import Evidence
from dlvc.report.rules.perceptron import OFF
from dlvc.report.verdict import NOT_COMPARABLE, Part, Verdict, figure, join, spread

FIRST_KERNELS = "results/lenet/conv1.npy"
VISIBLE = 0.1  # the smallest visible change, as a share of a kernel's length
# A 5x5 kernel minus its mean has 24 dimensions; two directions explain this share of a random one.
RANDOM = 2 / 24


def ten_epochs(evidence: Evidence) -> Verdict:
    """29-1: the test accuracy rises monotonically from 88 to 97 %."""
    curves = evidence.curves("lenet")
    last = curves.at("test_accuracy", min(10, curves.epochs))
    comparable = evidence.has_mnist and curves.epochs >= 10
    first = curves.at("test_accuracy", 1)
    risen = int((np.diff(curves.stack("train_loss")) > 0).sum())
    fallen = int((np.diff(curves.stack("test_accuracy")) < 0).sum())
    remark = "" if comparable else f", but {NOT_COMPARABLE}"
    return Verdict(
        (
            Part(
                "the test accuracy passes 97 % in ten epochs",
                bool(last.min() >= 0.97) if comparable else None,
                f"we measure {spread(last)}{remark}",
            ),
            figure("it is 88 % after one epoch", first, 0.8815, 0.02, comparable=comparable),
            Part(
                "both curves are monotonic",
                risen == 0 and fallen == 0,
                f"of {len(curves)} x {curves.epochs - 1} epochs, {risen} raise the training loss "
                f"and {fallen} lower the test accuracy",
            ),
        ),
        (curves.file,),
    )


def beats_mlp(evidence: Evidence) -> Verdict:
    """29-2: LeNet is better than a fully connected network."""
    lenet, mlp = evidence.curves("lenet"), evidence.curves("optimizers@adam")
    epoch = min(lenet.epochs, mlp.epochs)
    ours, theirs = (curves.at("test_accuracy", epoch) for curves in (lenet, mlp))
    found = f"LeNet reaches {spread(ours)} and the MLP {spread(theirs)} after {epoch} epochs"
    return Verdict(
        (
            Part("LeNet's mean is above the MLP's", bool(ours.mean() > theirs.mean()), found),
            Part(
                "LeNet's worst seed is above the MLP's best seed",
                bool(ours.min() > theirs.max()),
                f"{ours.min():.1%}, compared with {theirs.max():.1%}",
            ),
        ),
        (lenet.file, mlp.file),
    )


def kernels(evidence: Evidence) -> Verdict:
    """29-3: the first kernels change visibly and become gradient operators."""
    before, after = np.asarray(evidence.array(FIRST_KERNELS), dtype=np.float64)
    changes = np.linalg.norm(after - before, axis=(1, 2)) / np.linalg.norm(before, axis=(1, 2))
    parts = [
        Part(
            "the first kernels change visibly",
            bool(changes.mean() >= VISIBLE),
            f"by {changes.mean():.0%} of their length on average",
        )
    ]
    files = [FIRST_KERNELS]
    epochs = evidence.about("lenet")["epochs"]
    statement = "after 100 epochs they look like gradient operators"
    if epochs:
        file = "results/claims/lenet/conv1.npy"
        files.append(file)
        shares = gradient_share(np.asarray(evidence.array(file), dtype=np.float64)).mean((0, 2))
        gain = shares[1] - shares[0]
        found = (
            f"a derivative of a Gaussian explains {shares[0]:.0%} of a kernel before training and "
            f"{shares[1]:.0%} after {epochs} epochs ({RANDOM:.0%} of a random kernel)"
        )
        parts.append(Part(statement, bool(shares[1] >= 0.5), found))
        statement = "they become more similar to gradient operators"
        parts.append(Part(statement, bool(gain >= 0.05), f"by {100 * gain:.0f} points"))
    else:
        parts.append(Part(statement, None, OFF))
    return Verdict(tuple(parts), tuple(files))


def gradient_share(kernels: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of each kernel that the best derivative of a Gaussian explains.

    The kernel's mean is subtracted first. The Gaussian has σ = 1 pixel, and the derivative may have
    any direction. The derivatives along x and y are orthogonal, and every other direction is a
    linear combination of them. The share is therefore the squared length of the kernel's projection
    onto their plane, divided by the squared length of the kernel.

    Args:
        kernels: `(..., 5, 5)`.

    Returns:
        the shares `(...)`, from 0 to 1.

    >>> sobel = np.outer([1.0, 2, 3, 2, 1], [-1, -2, 0, 2, 1])
    >>> round(float(gradient_share(sobel)), 2)
    0.96
    """
    centred = kernels - kernels.mean(axis=(-2, -1), keepdims=True)
    axis = np.arange(5) - 2
    smooth = np.exp(-(axis**2) / 2)
    along_x = np.outer(smooth, -axis * smooth)
    plane = np.stack([along_x, along_x.T]) / np.linalg.norm(along_x)
    projection = np.einsum("...ij,kij->...k", centred, plane)
    share: NDArray[np.float64] = (projection**2).sum(-1) / (centred**2).sum((-2, -1))
    return share


def parameters(evidence: Evidence) -> Verdict:
    """29-4: the number of parameters depends on neither the batch size nor the image size."""
    rows = evidence.table("sizes")

    def depends(column: str, on: str) -> bool:
        """Whether a column changes when only the column `on` changes."""
        fixed = "batch_size" if on == "image_size" else "image_size"
        groups: dict[str, set[str]] = {}
        for row in rows:
            groups.setdefault(row[fixed], set()).add(row[column])
        return any(len(values) > 1 for values in groups.values())

    numbers = list(dict.fromkeys(f"{int(row['parameters']):,}" for row in rows))
    sizes = list(dict.fromkeys(row["image_size"] for row in rows))
    outputs = sorted({row["convolution_output"] for row in rows})
    return Verdict(
        (
            Part(
                "the number of parameters does not depend on the batch size",
                not depends("parameters", "batch_size"),
                f"{' and '.join(numbers)} at {' and '.join(sizes)} px, for one image and for two",
            ),
            Part(
                "the number of the convolutions' parameters does not depend on the image size",
                not depends("convolution_parameters", "image_size"),
                f"{rows[0]['convolution_parameters']} at {' and '.join(sizes)} px",
            ),
            Part(
                "the number of all parameters does not depend on the image size",
                not depends("parameters", "image_size"),
                f"{' and '.join(numbers)} at {' and '.join(sizes)} px, because the first linear "
                "layer takes all outputs of the convolutions",
            ),
            Part(
                "the output sizes depend on both",
                depends("convolution_output", "image_size")
                and depends("convolution_output", "batch_size"),
                f"the output shapes are {join(outputs)}",
            ),
        ),
        ("results/costs/sizes.csv",),
    )
