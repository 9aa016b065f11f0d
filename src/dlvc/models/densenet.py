"""DenseNet-121 of lecture 40."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import densenet121

from dlvc.models.preprocessing import enlarge, unit_interval


class DenseNet121(nn.Module):
    """torchvision's DenseNet-121 with random weights, a classifier 1024-`classes` and log-softmax.

    `forward` takes the stored uint8 photographs `(N, 32, 32, 3)` and enlarges one batch at a time
    to `image_size`. At 224 pixels the whole enlarged CIFAR-10 would take 36 GB.

    Source: lecture 40, after Huang, Liu, van der Maaten, Weinberger, "Densely Connected
    Convolutional Networks", 2017, doi:10.1109/CVPR.2017.243. The lecture enlarges with Pillow and
    rounds to whole values. Here each batch is enlarged in float32, without rounding.
    """

    def __init__(self, image_size: int, classes: int = 10) -> None:
        super().__init__()
        self.image_size = image_size
        self.net = densenet121(weights=None)
        self.net.classifier = nn.Linear(self.net.classifier.in_features, classes)

    def forward(self, photos: Tensor) -> Tensor:
        """Log-probabilities float32 `(N, classes)` of uint8 photographs `(N, 32, 32, 3)`."""
        x = unit_interval(photos).permute(0, 3, 1, 2).contiguous()  # (N, 3, 32, 32)
        x = enlarge(x, self.image_size)  # (N, 3, S, S)
        x = self.net(x)  # (N, classes)
        return F.log_softmax(x, dim=1, dtype=torch.float32)

    @property
    def conv0(self) -> Tensor:
        """The kernels of the first layer, `(64, 3, 7, 7)`."""
        weight: Tensor = self.net.features.conv0.weight
        return weight

    @property
    def denselayer1_conv1(self) -> Tensor:
        """The kernels of the first dense layer's 1x1 convolution, `(128, 64, 1, 1)`."""
        weight: Tensor = self.net.features.denseblock1.denselayer1.conv1.weight
        return weight
