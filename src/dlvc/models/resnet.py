"""Lecture 40's rival: a residual network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import resnet18

from dlvc.models.preprocessing import enlarge, unit_interval

CLASSES = 10


class ResNet18(nn.Module):
    """torchvision's ResNet-18, random weights, a new classifier 512-10, then log-softmax.

    `forward` takes uint8 photographs `(N, 32, 32, 3)`, as they are stored, and enlarges a batch at
    a time to `image_size`, as DenseNet-121 does here.

    Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2016,
    doi:10.1109/CVPR.2016.90. Lecture 40 compares DenseNet with residual networks, and trains none.
    """

    def __init__(self, image_size: int) -> None:
        super().__init__()
        self.image_size = image_size
        self.net = resnet18(weights=None)
        self.net.fc = nn.Linear(self.net.fc.in_features, CLASSES)

    def forward(self, photos: Tensor) -> Tensor:
        """Log-probabilities `(N, 10)` of uint8 photographs `(N, 32, 32, 3)`."""
        x = unit_interval(photos).permute(0, 3, 1, 2).contiguous()  # (N, 3, 32, 32)
        x = enlarge(x, self.image_size)  # (N, 3, S, S)
        x = self.net(x)  # (N, 10)
        return F.log_softmax(x, dim=1, dtype=torch.float32)
