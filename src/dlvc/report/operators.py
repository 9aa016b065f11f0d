"""How much of a kernel a gradient operator explains (claim 29-3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIZE = 5  # pixels, the height and width of LeNet's kernels
SIGMAS = (0.5, 0.75, 1.0, 1.5)  # pixels
AXIS = np.arange(SIZE) - 2.0
SOBEL = np.outer([1.0, 4, 6, 4, 1], [-1.0, -2, 0, 2, 1])  # along x

Kernels = NDArray[np.float64]


def gaussian_derivative(sigma: float) -> Kernels:
    """The first derivative along x of a Gaussian, `(5, 5)`, up to a factor."""
    smooth = np.exp(-(AXIS**2) / (2 * sigma**2))
    kernel: Kernels = np.outer(smooth, -AXIS * smooth)
    return kernel


def laplacian_of_gaussian(sigma: float) -> Kernels:
    """The Laplacian of a Gaussian minus its mean, `(5, 5)`, up to a factor."""
    r2 = np.add.outer(AXIS**2, AXIS**2) / (2 * sigma**2)  # the squared radius over 2σ²
    kernel: Kernels = (r2 - 1) * np.exp(-r2)
    return centred(kernel)


def gradient_operators() -> list[Kernels]:
    """Orthonormal bases of all gradient operators, each `(operators, 25)`.

    The derivatives along x and y are orthogonal, and a derivative in any other direction is a
    linear combination of them, so each kind of first derivative has a basis of two operators. A
    Laplacian has no direction, so its basis has one.
    """
    first = [SOBEL, *map(gaussian_derivative, SIGMAS)]
    bases = [np.stack([kernel, kernel.T]) for kernel in first]
    bases += [laplacian_of_gaussian(sigma)[np.newaxis] for sigma in SIGMAS]
    return [
        (basis / np.linalg.norm(basis, axis=(1, 2), keepdims=True)).reshape(len(basis), -1)
        for basis in bases
    ]


def explained_share(kernels: Kernels) -> Kernels:
    """The share of each kernel, minus its mean, that the best gradient operator explains.

    An operator explains the projection of the kernel onto its basis. The share is the squared
    length of the projection divided by that of the kernel.

    Args:
        kernels: `(..., 5, 5)`.

    Returns:
        the shares `(...)`, from 0 to 1.

    >>> diagonal = 3 * SOBEL - 2 * SOBEL.T + 7
    >>> explained_share(np.stack([diagonal, laplacian_of_gaussian(0.75)])).round(6).tolist()
    [1.0, 1.0]
    >>> checkerboard = (-1.0) ** np.add.outer(AXIS, AXIS)
    >>> round(float(explained_share(checkerboard)), 2)
    0.06
    """
    flat = centred(kernels).reshape(*kernels.shape[:-2], -1)
    explained = [((flat @ basis.T) ** 2).sum(-1) for basis in gradient_operators()]
    shares: Kernels = np.max(explained, axis=0) / (flat**2).sum(-1)
    return shares


def shares_of_random_kernels(count: int, draws: int, generator: np.random.Generator) -> Kernels:
    """The mean shares `(draws,)` of `count` random kernels each.

    As in PyTorch's initialisation, weights are uniform around 0. The share does not depend on
    their range.
    """
    kernels = generator.uniform(-1, 1, (draws, count, SIZE, SIZE))
    means: Kernels = explained_share(kernels).mean(-1)
    return means


def centred(kernels: Kernels) -> Kernels:
    """Kernels `(..., 5, 5)` minus the mean of each."""
    result: Kernels = kernels - kernels.mean(axis=(-2, -1), keepdims=True)
    return result
