"""The layout is the architecture: imports point one way, and DVC knows what a stage imports."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dlvc.params.reader import Params
from tests.imports import ROOT, SOURCE, direct_imports, import_closure, module_file

# A room may import from those after it, and from itself.
ORDER = [
    "stages", "ranks", "cli", "run", "server", "database", "plots", "profiles", "ledger",
    "shards", "exercises", "results", "verify", "tracking", "figures", "learning", "models",
    "features", "data", "lock", "inputs", "process", "portable", "kept", "hashes", "git", "params",
    "sections", "command", "sealed", "artifacts", "maps", "pickles", "errors",
]  # fmt: skip
STAGES = sorted(file.stem for file in (SOURCE / "dlvc/stages").glob("[a-z]*.py"))
PIPELINE = {
    name: stage.get("do", stage)  # of those that stand for several
    for name, stage in YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"].items()
}
# Tracking is told things and gives nothing back: no out can depend on it, so no training runs again
# because the view has changed. (tests/pipeline/test_outage.py holds that no result does.) Nor can
# an out depend on what a stage imports by way of tracking alone (such as `git`), so the
# imports of a stage are not followed into it.
WATCHES = "dvcview.tracking"
# The runner of stages (`stages/__main__.py`) is no dep either: it decides whether a stage runs,
# and sets the variables that a parameter, `runtime.reproducible`, asks for; no more.
MODULES = sorted((SOURCE / "dlvc").rglob("*.py"))


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else "dlvc"


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def test_imports_point_one_way():
    for file in MODULES:
        here = room(name_of(file))
        for imported in direct_imports(file):
            there = room(imported)
            if "dlvc" in (here, there) or (here == there and here != "stages"):
                continue
            assert ORDER.index(here) < ORDER.index(there), f"{name_of(file)} imports {imported}"


def imports_mlflow(file: Path) -> bool:
    return any(
        line.lstrip().startswith(("import mlflow", "from mlflow"))
        for line in file.read_text(encoding="utf-8").splitlines()
    )


def test_only_the_tracking_room_imports_mlflow():
    assert {room(name_of(file)) for file in MODULES if imports_mlflow(file)} == {"tracking"}


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_imports_mlflow(stage):
    """It costs seconds; the recorder, a process beside the stages, imports it for all of them."""
    closure = import_closure(f"dlvc.stages.{stage}")
    assert not any(imports_mlflow(ROOT / name) for name in closure)


def test_files_stay_readable():
    for file in MODULES:
        lines = len(file.read_text(encoding="utf-8").splitlines())
        assert lines <= (100 if room(name_of(file)) == "stages" else 300), name_of(file)


def test_every_stage_of_the_pipeline_is_a_file_of_its_name():
    assert sorted(PIPELINE) == STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_exactly_the_modules_that_it_imports(stage):
    """DVC follows no imports: what is missing here could change without anything running again."""
    declared = {dep for dep in PIPELINE[stage]["deps"] if dep.startswith("src/")}
    files = {
        str(file.relative_to(ROOT))
        for dep in declared
        for file in ([ROOT / dep] if dep.endswith(".py") else (ROOT / dep).glob("*.py"))
        if file.exists()
    }
    imported = import_closure(f"dlvc.stages.{stage}", without=WATCHES)
    assert not any(dep.startswith(f"src/{WATCHES.replace('.', '/')}") for dep in declared)
    assert imported - files == set(), "add to the stage's deps in dvc.yaml"
    strangers = {name for name in files - imported if not only_describes(ROOT / name)}
    assert strangers - alternatives(stage) == set(), "remove from the stage's deps in dvc.yaml"


def only_describes(file: Path) -> bool:
    return file.name == "__init__.py" and file.stat().st_size < 200


def alternatives(stage: str) -> set[str]:
    """The room `data` is one dep of both stages that read images; each has a source of its own."""
    sources = {"digits": "src/dlvc/data/cifar10.py", "photos": "src/dlvc/data/mnist.py"}
    return {sources[stage]} if stage in sources else set()


def test_the_closure_finds_what_is_imported_indirectly():
    closure = import_closure("dlvc.stages.lenet")
    assert "src/dlvc/models/preprocessing.py" in closure
    assert "src/dlvc/models/mlp/network.py" not in closure
    assert module_file("dlvc.nothing") is None


def test_the_closure_follows_no_import_into_a_package_that_is_left_out():
    everything = import_closure("dlvc.stages.lenet")
    without = import_closure("dlvc.stages.lenet", without=WATCHES)
    only_by_tracking = {
        "src/dvcview/tracking/stage_run.py",
        "src/dvcview/tracking/execution.py",
        "src/dvcview/project/git.py",
    }
    assert only_by_tracking <= everything
    assert only_by_tracking & without == set()
    assert "src/dlvc/params/reader.py" in without  # tracking imports it, too


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_its_own_section_of_the_parameters(stage):
    params = {name.split(".")[0] for name in PIPELINE[stage].get("params", [])}
    everything = set(Params.model_fields) - {"data", "runtime"}
    own = {
        "params": set(), "digits": {"data"}, "photos": {"data"}, "report": everything
    }.get(stage, {stage})  # fmt: skip
    assert params - {"runtime"} == own


@pytest.mark.parametrize("stage", sorted(set(STAGES) - {"params"}))
def test_dvc_can_restore_a_stage_from_its_cache(stage):
    """It keeps no run of a stage with an uncached out that is neither a metric nor a plot."""
    for out in PIPELINE[stage]["outs"]:
        assert isinstance(out, str), f"{out} would be trained anew each time"
