"""`benchmarks.gpu` in small, on the CPU: every step ends and writes what the report reads."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.gpu import STEPS
from dvcview.files.artifacts import read_csv, read_json
from tests.imports import ROOT

MIRROR = os.environ.get("DLVC_MIRROR")
BARE = ("pydantic", "psutil", "skimage", "sklearn", "dvc", "mlflow", "ruamel", "jinja2")


def test_the_script_needs_nothing_that_a_bare_machine_lacks():
    code = f"import sys; sys.modules.update(dict.fromkeys({BARE})); import benchmarks.gpu"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    path = tmp_path / "photos.tar.xz"
    with tarfile.open(path, "w:xz") as archive:
        for part, count in (("train", 6), ("test", 3)):
            for label in range(10):
                for number in range(count):
                    content = io.BytesIO()
                    pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                    Image.fromarray(pixels).save(content, "JPEG")
                    member = tarfile.TarInfo(f"{part}/class {label}/{number}.jpg")
                    member.size = content.tell()
                    content.seek(0)
                    archive.addfile(member, content)
    return path


@pytest.mark.full
@pytest.mark.skipif(not MIRROR, reason="DLVC_MIRROR is not set: no MNIST here")
def test_every_step_runs_in_small(photos: Path, tmp_path: Path):
    out = tmp_path / "out"
    command = ["--photos", str(photos), "--digits", str(MIRROR), "--out", str(out), "--small"]
    subprocess.run([sys.executable, "-m", "benchmarks.gpu", *command], cwd=ROOT, check=True)
    assert {name: step["ended"] for name, step in read_json(out / "steps.json").items()} == (
        dict.fromkeys(STEPS, "0")
    )
    equal = read_json(out / "equality.json")["rows"]
    assert equal[0]["relative difference of the losses"] < 1e-4
    assert all(row["same bytes"] for row in equal[1:])
    assert [row["epoch"] for row in read_csv(out / "bfloat16.csv")] == ["1", "2"]
    assert len(read_csv(out / "memory.csv")) == 4
    assert np.load(out / "bfloat16_conv0.npy").shape == (2, 64, 3, 7, 7)
    assert json.dumps(read_json(out / "machine.json"))
