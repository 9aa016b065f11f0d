"""LeNet of lecture 29."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlvc.models.preprocessing import enlarge, unit_interval

IMAGE_SIZE = 32  # the size for which the output of conv2 is 16 x 5 x 5 = 400


class LeNet(nn.Module):
    """LeNet with max pooling, ReLU and log-softmax, for the negative log likelihood.

    `forward` takes the stored uint8 digits `(N, 28, 28)` and enlarges them to 32x32.

    Source: lecture 29, after LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to
    document recognition", 1998, doi:10.1109/5.726791. The lecture enlarges the stored images and
    rounds them to whole gray values. Here each batch is enlarged in float32, without rounding.
    """

    # In channels_last, oneDNN computes the gradient of the kernels with threads that wait for each
    # other in a busy loop: beside another busy process an update takes four times as long as alone,
    # and in this format twice as long (benchmarks/README.md).
    memory_format = torch.contiguous_format

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=5)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def forward(self, digits: Tensor) -> Tensor:
        """Log-probabilities float32 `(N, classes)` of uint8 digits `(N, 28, 28)`."""
        x = unit_interval(digits).unsqueeze(1)  # (N, 1, 28, 28)
        x = enlarge(x, IMAGE_SIZE)  # (N, 1, 32, 32)
        # ReLU after pooling gives the same result as before it, on a quarter of the values.
        x = F.relu(F.max_pool2d(self.conv1(x), 2))  # (N, 6, 14, 14)
        x = F.relu(F.max_pool2d(self.conv2(x), 2))  # (N, 16, 5, 5)
        x = x.flatten(1)  # (N, 400)
        x = F.relu(self.fc1(x))  # (N, 120)
        x = F.relu(self.fc2(x))  # (N, 84)
        x = self.fc3(x)  # (N, classes)
        return F.log_softmax(x, dim=1, dtype=torch.float32)
