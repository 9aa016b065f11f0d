"""From stored pixels to what a network computes with."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def unit_interval(images: Tensor) -> Tensor:
    """uint8 images of any shape as float32 in [0, 1], as torchvision's `ToTensor` scales them.

    Kept as uint8 until here: a quarter of the memory to hold and to move.
    """
    return images / 255


def enlarge(images: Tensor, size: int) -> Tensor:
    """Bilinear resize of float images `(N, C, H, W)` to `(N, C, size, size)`."""
    if images.shape[-2:] == (size, size):
        return images
    return F.interpolate(images, size=(size, size), mode="bilinear")
