"""Compile the functions that use Numba, so that no stage has to wait some seconds for it.

Numba stores the machine code beside the source, in `__pycache__`, for this type of processor only.
If the code is missing or the source is newer, the first call compiles. The set-up runs this once.
"""

import numpy as np
import torch
from torch.nn import functional as F

from dlvc.features import extract
from dlvc.models.mlp.network import MLP
from dlvc.models.mlp.per_sample import train_one_epoch
from dlvc.training.optimizers import SGD
from dlvc.training.samples import EpochState, Samples


def main() -> None:
    """Extract the features of one image, and train on one digit."""
    images = np.zeros((1, 32, 32, 3), np.uint8)
    images.flags.writeable = False  # as in the stage; for Numba, this is another type
    extract(images)
    model = MLP()
    digit = Samples(torch.zeros(1, 28, 28, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))
    rule = SGD(model.parameters(), learning_rate=0.01)
    for _ in train_one_epoch(
        model, F.cross_entropy, rule, digit, EpochState.start(torch.tensor([0]), 1)
    ):
        pass


if __name__ == "__main__":
    main()
