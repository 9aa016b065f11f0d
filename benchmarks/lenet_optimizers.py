"""`python -m benchmarks.lenet_optimizers`: an epoch of LeNet with Adam and with SGD.

It puts the seconds of each turn into benchmarks/rules.json, from where the report reads them (claim
29-5). Both are timed in turn, in one run, and each with the test that follows an epoch.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from torch.nn import functional as F

from benchmarks.measure import in_turn, machine
from benchmarks.works import digits, ours, runtime
from dlvc.models.lenet import LeNet
from dlvc.training.optimizers import SGD, Adam
from dvcview.files.artifacts import read_json, write_json

FILE = Path("benchmarks/rules.json")
TURNS = 5


def main() -> None:
    """Measure, and write."""
    runtime()
    data = digits()
    adam, sgd = partial(Adam, learning_rate=1e-4), partial(SGD, learning_rate=0.1)
    times = in_turn(
        {
            "adam": ours(data, LeNet, F.nll_loss, adam, batch_size=100),
            "sgd": ours(data, LeNet, F.nll_loss, sgd, batch_size=100),
        },
        TURNS,
    )
    seconds = {name: [round(value, 3) for value in found.seconds] for name, found in times.items()}
    measured = {"machine": machine(), "digits": data.name, **seconds}
    write_json(FILE, {**read_json(FILE), "lenet": measured})


if __name__ == "__main__":
    main()
