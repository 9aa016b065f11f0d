"""A small portable run of every stage that trains, whose MD5s are in portable_run.json.

`python -m tests.pipeline.portable_run` writes that file: after an update of a library, and after a
change of the code that changes results.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from tests.pipeline.project import SMALL, Project
from tests.processor import processor_name

RECORD = Path(__file__).with_suffix(".json")
STAGES = ("perceptron", "update_rules", "optimizers", "lenet", "densenet", "claims")
# What computes the contents of the outs.
LIBRARIES = ("torch", "torchvision", "numpy", "numba", "scipy", "scikit-image", "scikit-learn")
# As few images and epochs as exercise the same code. Every exercise is on.
PARAMS = {
    **SMALL,
    "runtime.reproducible": "portable",
    "runtime.threads": 2,
    "data.digits.bundled.train": 600,
    "data.digits.bundled.test": 200,
    "data.photos.bundled.train": 200,
    "data.photos.bundled.test": 100,
    "update_rules.per_batch.epochs": 3,
    "lenet.epochs": 2,
    "densenet.epochs": 1,
    "claims.per_epoch.epochs": 5,
    "claims.batch_sizes.epochs": 1,
    "claims.sgd.images": 300,
    "claims.sgd.epochs": 2,
    "claims.sgd.adam_epochs": 1,
    "claims.momentum.epochs": 2,
}
MD5s = Mapping[str, Mapping[str, str]]  # of each out, by stage


def versions() -> dict[str, str]:
    """Of the libraries here."""
    return {name: version(name) for name in LIBRARIES}


def repeat(root: Path) -> MD5s:
    """Run the stages in an empty folder, with the stages for the data before them.

    The stage `params` is left out: what it writes describes the parameters.
    """
    project = Project.copy(root, PARAMS)
    project.dvc("repro", *STAGES)
    states = project.states().items()
    return {name: dict(state.outs) for name, state in states if name != "params"}


def differing(recorded: MD5s, found: MD5s) -> list[str]:
    """The stages whose outs are not the same, in the order of the course.

    >>> differing({"digits": {"a": "1"}, "lenet": {"b": "2"}}, {"digits": {"a": "1"}})
    ['lenet']
    """
    return [stage for stage in {**recorded, **found} if recorded.get(stage) != found.get(stage)]


def main() -> None:
    """Write what this machine computes."""
    with tempfile.TemporaryDirectory() as folder:
        found = repeat(Path(folder))
    record = {"processor": processor_name(), "versions": versions(), "md5": found}
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
