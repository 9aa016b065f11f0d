"""The outs of earlier stages as samples on a device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from dlvc.arrays.array_files import read_pickle
from dlvc.arrays.dataset import open_dataset
from dlvc.training.samples import Samples


def load_images(folder: Path, device: torch.device) -> tuple[Samples, Samples]:
    """Training and test images, uint8 `(N, H, W)` or `(N, H, W, 3)`."""
    found = open_dataset(folder)
    return (
        Samples.from_numpy(found.train_images, found.train_labels, device),
        Samples.from_numpy(found.test_images, found.test_labels, device),
    )


def load_features(folder: Path, device: torch.device) -> tuple[Samples, Samples]:
    """Texture features of the training and test images, float32 `(N, 9)`, as in lecture 5."""
    train, test = (
        Samples.from_numpy(
            read_pickle(folder / f"{part}Feats.pkl").astype(np.float32),
            read_pickle(folder / f"{part}Label.pkl"),
            device,
        )
        for part in ("train", "test")
    )
    return train, test
