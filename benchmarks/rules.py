"""`python -m benchmarks.rules`: an epoch by each of lecture 24's rules, into benchmarks/rules.json.

What the report says of times comes from there: times differ from run to run, and so can be in no
out of a stage. All works are timed in turn, in one run, so that their ratios can be trusted.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from torch.nn import functional as F

from benchmarks import lecture_loops
from benchmarks.measure import TURNS, Times, in_turn, machine
from benchmarks.works import SAMPLE_UPDATES, digits, ours, ours_per_epoch, ours_per_sample, runtime
from dlvc.models.mlp.network import MLP
from dlvc.training.optimizers import SGD
from dvcview.files.artifacts import read_json, write_json

FILE = Path("benchmarks/rules.json")


def main() -> None:
    """Measure, and write."""
    runtime()
    data = digits()
    descent = partial(SGD, learning_rate=0.1)
    times = in_turn(
        {
            "lecture per_epoch": lambda: lecture_loops.once_an_epoch(data),
            "lecture per_batch": lambda: lecture_loops.once_a_batch(data),
            "lecture per_sample": lambda: lecture_loops.once_a_sample(data, SAMPLE_UPDATES),
            "ours per_epoch": ours_per_epoch(data),
            "ours per_batch": ours(data, MLP, F.cross_entropy, descent, batch_size=100),
            "ours per_sample": ours_per_sample(data),
        },
        TURNS,
    )
    scale = len(data.train_labels) / SAMPLE_UPDATES

    def of(name: str) -> dict[str, object]:
        found: Times = times[name]
        seconds = found.median * (scale if name == "lecture per_sample" else 1)
        return {"seconds": round(seconds, 3), "spread": found.spread}

    rules = ("per_epoch", "per_batch", "per_sample")
    write_json(
        FILE,
        {
            **read_json(FILE),  # has what benchmarks.lenet_optimizers measures
            "machine": machine(),
            "digits": data.name,
            "turns": TURNS,
            **{
                loop: {rule: of(f"{loop} {rule}") for rule in rules} for loop in ("lecture", "ours")
            },
        },
    )


if __name__ == "__main__":
    main()
