"""A residual network, for comparison with the DenseNet of lecture 40."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import resnet18

from dlvc.models.preprocessing import enlarge, unit_interval


class ResNet18(nn.Module):
    """torchvision's ResNet-18 with random weights, a classifier 512-`classes` and log-softmax.

    `forward` takes the stored uint8 photographs `(N, 32, 32, 3)` and enlarges one batch at a time
    to `image_size`, as `dlvc.models.densenet.DenseNet121` does.

    Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2016,
    doi:10.1109/CVPR.2016.90. Lecture 40 compares DenseNet with residual networks but trains none.
    """

    def __init__(self, image_size: int, classes: int = 10) -> None:
        super().__init__()
        self.image_size = image_size
        self.net = resnet18(weights=None)
        self.net.fc = nn.Linear(self.net.fc.in_features, classes)

    def forward(self, photos: Tensor) -> Tensor:
        """Log-probabilities float32 `(N, classes)` of uint8 photographs `(N, 32, 32, 3)`."""
        x = unit_interval(photos).permute(0, 3, 1, 2).contiguous()  # (N, 3, 32, 32)
        x = enlarge(x, self.image_size)  # (N, 3, S, S)
        x = self.net(x)  # (N, classes)
        return F.log_softmax(x, dim=1, dtype=torch.float32)
