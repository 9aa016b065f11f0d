"""The fully connected network of lectures 24 and 25."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from dlvc.models.preprocessing import unit_interval


class MLP(nn.Module):
    """784-400-256-`classes` with ReLU. The outputs are unnormalised scores for the cross entropy.

    `forward` takes the stored uint8 digits `(N, 28, 28)`.

    Source: lectures 24 and 25, "Neural Network" (`Layer1` discovers features, `Layer2` classifies).
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.fc1 = nn.Linear(28 * 28, 400)
        self.fc2 = nn.Linear(400, 256)
        self.fc3 = nn.Linear(256, classes)

    def forward(self, digits: Tensor) -> Tensor:
        """Class scores `(N, classes)` of uint8 digits `(N, 28, 28)`."""
        x = unit_interval(digits).flatten(1)  # (N, 784)
        x = F.relu(self.fc1(x))  # (N, 400)
        x = F.relu(self.fc2(x))  # (N, 256)
        scores: Tensor = self.fc3(x)  # (N, classes)
        return scores
