"""`runtime.reproducible: portable`: the same bytes, whatever processor computes them.

One test repeats a run that another machine has recorded. The others change what the libraries are
told of this processor.
"""

from __future__ import annotations

import json
import re

import pytest

from dlvc.training.determinism import PINNED, can_pin_instructions
from tests.imports import ROOT
from tests.pipeline.portable_run import RECORD, differing, repeat, versions
from tests.processor import processor_name

needs_avx2 = pytest.mark.skipif(
    not can_pin_instructions(), reason=f"needs AVX2, and the processor is {processor_name()}"
)

# As on a processor without AVX2, as far as the libraries can be told.
OLD = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "SSE4_2"}
STAGE = ("python", "src/stage.py", "update_rules", "per_batch")
# The same, but it obeys the variables, which a stage otherwise ignores.
OBEYING = (
    "import sys; sys.path.insert(0, 'src'); sys.argv[1:] = ['update_rules', 'per_batch']; "
    "import stage; stage.IGNORED = (); stage.run_command(stage.main)"
)
RESULTS = "results/update_rules/per_batch"
# As on a processor that cannot: the stage reads another file than /proc/cpuinfo.
WITHOUT_AVX2 = (
    "from pathlib import Path; from dlvc.training import determinism; "
    "determinism.CPUINFO = Path('old_processor'); "
)
WRITE = "python -m tests.pipeline.portable_run"


@pytest.mark.full
@needs_avx2
def test_a_small_run_leaves_the_recorded_bytes(tmp_path):
    recorded = json.loads(RECORD.read_text(encoding="utf-8"))
    if versions() != recorded["versions"]:
        pytest.skip(f"recorded with {recorded['versions']}, and here are {versions()}")
    stages = differing(recorded["md5"], repeat(tmp_path / "dlvc"))
    assert not stages, (
        f"{processor_name()} computes other bytes than {recorded['processor']} in these stages: "
        f"{', '.join(stages)}; if a change of the code is the cause, call {WRITE}"
    )


def test_the_record_is_of_the_locked_versions():
    """Otherwise an update of requirements.lock would turn the test above off."""
    locked = dict(
        re.findall(r"^(\S+)==([^\s;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    )
    recorded = json.loads(RECORD.read_text(encoding="utf-8"))["versions"]
    assert recorded == {name: locked[name] for name in recorded}, f"call {WRITE}"


def train(project, **environment):
    """The outs of the stage that obeys these variables."""
    project.call("python", "-c", OBEYING, **environment)
    return outs(project)


def outs(project):
    """What the metrics say it was computed with, and the weights."""
    weights = (project.root / RESULTS / "weights.safetensors").read_bytes()
    return json.loads(project.read(f"{RESULTS}/metrics.json"))["computed"], weights


@pytest.mark.full
@needs_avx2
def test_an_older_processor_makes_the_same_bytes_and_without_it_others(done):
    done.set({"runtime.reproducible": "machine"})
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


@pytest.mark.full
def test_a_processor_without_avx2_says_so_and_computes_as_machine(done):
    done.set({"runtime.reproducible": "machine"})
    usual = train(done)[1]
    (done.root / "old_processor").write_text("model name : Old One\nflags : sse4_2 avx\n")
    done.set({"runtime.reproducible": "portable"})
    stage = done.call("python", "-c", WITHOUT_AVX2 + OBEYING)
    (line,) = [line for line in stage.stderr.splitlines() if "portable" in line]
    assert line.endswith("none here; the stage computes as with machine (Old One)")
    computed, weights = outs(done)
    assert computed.startswith("Old One (")
    assert weights == usual


@pytest.mark.full
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
