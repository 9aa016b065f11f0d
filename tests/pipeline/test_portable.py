"""`runtime.reproducible: portable`: what the environment says of instructions changes no byte."""

from __future__ import annotations

import json

import pytest

from dlvc.training.determinism import PINNED

pytestmark = pytest.mark.full

# As on a processor without AVX2, as far as the libraries can be told.
OLD = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "SSE4_2"}
STAGE = ("python", "src/stage.py", "update_rules", "per_batch")
# The same, but it obeys the variables, which a stage otherwise ignores.
OBEYING = (
    "import sys; sys.path.insert(0, 'src'); sys.argv[1:] = ['update_rules', 'per_batch']; "
    "import stage; stage.IGNORED = (); stage.run_command(stage.main)"
)
RESULTS = "results/update_rules/per_batch"


def train(project, **environment):
    """What the metrics say it was computed with, and the weights."""
    project.call("python", "-c", OBEYING, **environment)
    weights = (project.root / RESULTS / "weights.safetensors").read_bytes()
    return json.loads(project.read(f"{RESULTS}/metrics.json"))["computed"], weights


def test_an_older_processor_makes_the_same_bytes_and_without_it_others(done):
    usual, old = train(done), train(done, **OLD)
    done.call(*STAGE, **OLD)
    assert (done.root / RESULTS / "weights.safetensors").read_bytes() == usual[1]
    assert usual[1] != old[1]  # or nothing would be shown
    assert usual[0] != old[0]

    done.set({"runtime.reproducible": "portable"})
    pinned, pinned_there = train(done), train(done, **OLD)
    assert pinned == pinned_there
    assert pinned[0].startswith("any x86 (AVX2), threads: 1, ")
    assert pinned[1] != usual[1]
    assert set(OLD) < set(PINNED)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"runtime.device": "cuda"}, "runtime.reproducible is portable, which a GPU is not"),
        ({"runtime.reproducible": "anywhere"}, "runtime.reproducible is 'anywhere'; allowed: "),
    ],
)
def test_what_cannot_be_portable_is_one_line(scratch, params, said):
    text = scratch.read("params.yaml")
    scratch.set({"runtime.reproducible": "portable", **params})
    try:
        stage = scratch.call(*STAGE, ok=False)
    finally:
        (scratch.root / "params.yaml").write_text(text, encoding="utf-8")
    assert stage.returncode == 2
    (line,) = stage.stderr.splitlines()
    assert said in line
