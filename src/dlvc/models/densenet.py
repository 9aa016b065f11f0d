"""DenseNet-121 of lecture 40."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import densenet121

from dlvc.models.preprocessing import enlarge, unit_interval


class DenseNet121(nn.Module):
    """torchvision's DenseNet-121 with random weights, a classifier 1024-`classes` and log-softmax.

    `forward` takes the stored uint8 photographs `(N, 32, 32, 3)` and enlarges one batch at a time
    to `image_size`. At 224 pixels the whole enlarged CIFAR-10 would take 36 GB.

    `initialisation` chooses the distribution of the random weights.

    - `lecture`: PyTorch 0.3's defaults, which the lecture very likely had. Weights and biases of
      convolutions and of the classifier are uniform in ±1/sqrt(fan-in). The scales of batch
      normalization are uniform in [0, 1). The lecture prints `Linear (1024 -> 1000)`, and
      `BatchNorm2d` without `track_running_stats`, as PyTorch did before 0.4. torchvision 0.2.0 of
      November 2017 does not set DenseNet's weights.
    - `torchvision`: what torchvision has set since December 2017. Weights of convolutions are
      normal with variance 2/fan-in (Kaiming). The scales of batch normalization are 1. The
      classifier for `classes` classes has PyTorch's defaults, as with `lecture`.

    Source: lecture 40, after Huang, Liu, van der Maaten, Weinberger, "Densely Connected
    Convolutional Networks", 2017, doi:10.1109/CVPR.2017.243. The lecture enlarges with Pillow and
    rounds to whole values. Here each batch is enlarged in float32, without rounding. The initial
    weights are described in https://github.com/pytorch/vision/issues/232 (torchvision without its
    own), https://github.com/pytorch/vision/pull/368 (Kaiming),
    https://github.com/pytorch/pytorch/issues/1667 (1/sqrt(fan-in)) and
    https://github.com/pytorch/pytorch/issues/12259 (scales in [0, 1)).
    """

    def __init__(
        self,
        image_size: int,
        classes: int = 10,
        initialisation: Literal["lecture", "torchvision"] = "lecture",
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.net = densenet121(weights=None)
        self.net.classifier = nn.Linear(self.net.classifier.in_features, classes)
        if initialisation == "lecture":
            self._draw_pytorch_0_3_weights()

    def _draw_pytorch_0_3_weights(self) -> None:
        for module in self.net.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                # Today's default has the same distribution: a uniform Kaiming initialisation with
                # a = sqrt(5) has the bounds ±sqrt(6 / ((1 + a²) fan-in)) = ±1/sqrt(fan-in).
                module.reset_parameters()
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight)

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
