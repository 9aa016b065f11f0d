"""`benchmarks.gpu` in small, on the CPU: every step ends and writes what docs/gpu describes."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.gpu import SECONDS, STEPS
from benchmarks.gpu_loop import GraphedEpoch
from dlvc.training.samples import EpochState, Samples
from dvcview.files.artifacts import read_json, write_json
from tests.imports import ROOT, SOURCE, name_of

MIRROR = os.environ.get("DLVC_MIRROR")
BARE = (
    "dvc", "mlflow", "pandas", "psutil", "pydantic", "ruamel",
    "skimage", "sklearn",
)  # fmt: skip
WITHOUT = f"import sys; sys.modules.update(dict.fromkeys({BARE}))"  # their import fails


def test_training_needs_nothing_that_a_bare_machine_lacks():
    rooms = [SOURCE / "dlvc" / room for room in ("training", "models", "arrays")]
    modules = [name_of(file) for room in rooms for file in sorted(room.rglob("*.py"))]
    assert len(modules) > 20
    code = f"{WITHOUT}\nimport importlib\nfor name in {['benchmarks.gpu', *modules]}:"
    code += "\n    importlib.import_module(name)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_first_steps_fit_into_one_call_and_the_next_into_a_second_one():
    limits = [limit for _, limit in STEPS.values()]
    assert sum(limits[:3]) <= SECONDS
    assert sum(limits[3:5]) <= 240


def test_a_graph_is_for_a_gpu():
    samples = Samples(torch.zeros(4, 1), torch.zeros(4, dtype=torch.int64))
    state = EpochState.sequential(samples, 2)
    with pytest.raises(ValueError, match="for one GPU"):
        next(GraphedEpoch()(torch.nn.Linear(1, 1), None, None, samples, state))


def run(images: Path, out: Path, *arguments: str, status: int = 0) -> str:
    """Run the script in small; returns its messages."""
    command = ["-m", "benchmarks.gpu", "--small", "--images", str(images), "--out", str(out)]
    start = images / "start"  # Python runs this module before the script
    start.mkdir(exist_ok=True)
    (start / "sitecustomize.py").write_text(WITHOUT)
    # On one thread, because bfloat16 on two threads takes seconds per update beside other work.
    ended = subprocess.run(
        [sys.executable, *command, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{start}:{SOURCE}"},
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == status, ended.stderr
    return ended.stderr


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder as docs/gpu/README.md describes it, with few photographs."""
    rng = np.random.default_rng(1)
    folder = tmp_path / "images"
    shutil.copytree(str(MIRROR), folder / "mnist")
    with tarfile.open(folder / "cifar10.tar.xz", "w:xz") as archive:
        for part, count in (("train", 12), ("test", 7)):
            for label in range(10):
                for number in range(count):
                    content = io.BytesIO()
                    pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                    Image.fromarray(pixels).save(content, "JPEG")
                    member = tarfile.TarInfo(f"{part}/class {label}/{number}.jpg")
                    member.size = content.tell()
                    content.seek(0)
                    archive.addfile(member, content)
    return folder


@pytest.mark.full
@pytest.mark.skipif(not MIRROR, reason="DLVC_MIRROR is not set: no MNIST here")
def test_every_step_runs_in_small(images: Path, tmp_path: Path):
    out = tmp_path / "out"
    run(images, out, "--seconds", "3000")
    steps = read_json(out / "steps.json")
    assert {name: step["ended"] for name, step in steps.items()} == dict.fromkeys(STEPS, "complete")

    rows = {
        step: {u: r["rows"] for u, r in read_json(out / f"{step}.json").items()} for step in STEPS
    }
    first, *others = rows["equality"].values()
    assert first[0]["within_tolerance"]
    assert others
    assert all(unit[0]["same_bytes"] for unit in others)
    assert all(unit[0]["images_per_second"] > 0 for unit in rows["speed"].values())
    assert [row["epoch"] for row in rows["bfloat16"]["seed 40"]] == [1, 2]
    assert rows["float32"]["seed 40"][0]["seconds"] > 0
    assert np.load(out / "bfloat16_conv0_seed40.npy").shape == (2, 64, 7, 7, 3)
    assert len(rows["memory"]) == len(rows["models"]) == 5
    assert len(rows["rules"]) == 3
    assert len(rows["updates"]) == 6
    assert list(rows["sgd"]) == ["Adam, seed 25", "SGD, seed 25"]
    assert {row["lost"] for row in rows["resnet"]["seed 40"][:1]} == {0}
    today, lecture = (
        np.load(out / f"{step}_conv0_seed40.npy")[0].std() for step in ("torchvision", "bfloat16")
    )
    assert today > 2 * lecture
    # On gray images, the gradients of the three colours are the same, and so are Adam's steps.
    before, after = np.load(out / "gray_conv0_seed40.npy").astype(np.float64)
    change = after - before
    assert np.abs(change).max() > 0
    assert (
        np.abs(change - change.mean(-1, keepdims=True)).max() < 1e-6 + 0.01 * np.abs(change).max()
    )
    assert read_json(out / "machine.json")["device"] == "cpu"

    # Another call repeats only the units that were not complete.
    rules = read_json(out / "rules.json")
    stopped = next(iter(rules))
    rules[stopped] = {"ended": "stopped", "rows": []}
    write_json(out / "rules.json", rules)
    write_json(out / "steps.json", {**steps, "rules": {"ended": "stopped after 60 s"}})
    run(images, out, "--seconds", "3000")
    again = read_json(out / "rules.json")
    assert again.pop(stopped)["ended"] == "complete"
    del rules[stopped]
    assert again == rules
    assert read_json(out / "steps.json")["speed"] == steps["speed"]

    # Results of two machines are never mixed.
    write_json(out / "machine.json", {**read_json(out / "machine.json"), "cores": 1000})
    assert "(cores)" in run(images, out, status=2)
