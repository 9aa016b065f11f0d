"""The perceptron of lecture 5."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Perceptron(nn.Module):
    """One linear layer from texture features to classes: y = softmax(W x + b).

    `forward` takes float32 features `(N, n_features)` and returns probabilities `(N, classes)`.

    Source: lecture 5, "Defining the perceptron".
    """

    def __init__(self, n_features: int, classes: int = 10) -> None:
        super().__init__()
        self.L = nn.Linear(n_features, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Class probabilities `(N, classes)` of features `(N, n_features)`."""
        return F.softmax(self.L(x), dim=1)


def one_hot_mse(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Mean squared error between probabilities `(N, C)` and one-hot labels `(N,)`.

    J = 1/(N C) Σₙ Σ_c (yₙ_c - [c = labelₙ])², the mean over samples *and* classes, as in
    `torch.nn.MSELoss`.

    >>> import torch
    >>> one_hot_mse(torch.tensor([[0.5, 0.5]]), torch.tensor([1])).item()
    0.25
    """
    target = F.one_hot(labels, probabilities.shape[1]).to(probabilities.dtype)
    return F.mse_loss(probabilities, target)
