"""Preprocessing of the stored images, at the start of each network."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def unit_interval(images: Tensor) -> Tensor:
    """Scale uint8 images of any shape to float32 in [0, 1], as torchvision's `ToTensor` does.

    The images stay uint8 until this point, to store and move only a quarter of the bytes.
    """
    return images / 255


def enlarge(images: Tensor, size: int) -> Tensor:
    """Resize float images `(N, C, H, W)` to `(N, C, size, size)`, bilinearly."""
    if images.shape[-2:] == (size, size):
        return images
    return F.interpolate(images, size=(size, size), mode="bilinear")
