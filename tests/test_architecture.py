"""The layout shows the architecture: imports point one way, and DVC knows a stage's code."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dlvc.params.reader import Params
from tests.imports import (
    PACKAGES,
    ROOT,
    SOURCE,
    direct_imports,
    import_closure,
    imported_names,
    module_file,
    name_of,
)

# A room imports from rooms after it, and from itself.
ORDER = [
    "dlvc.cli", "dlvc.summary", "dlvc.stages", "dlvc.checks", "dlvc.logged_model", "dlvc.exercises",
    "dlvc.figures", "dlvc.report", "dlvc.evidence", "dlvc.models", "dlvc.launcher", "dlvc.training",
    "dlvc.features", "dlvc.data", "dlvc.arrays", "dlvc.params",
    "dvcview.cli", "dvcview.server", "dvcview.verify", "dvcview.run", "dvcview.tracking",
    "dvcview.project", "dvcview.files", "dvcview.console", "dvcview.errors",
]  # fmt: skip
# No change here can change a byte of an out of a stage that succeeds, so they are not deps:
# they read and check values that arrive through `params:`, run the stage, log, or report errors.
# tests/pipeline/test_outage.py shows that no result depends on tracking.
CANNOT_CHANGE_OUTS = (
    "dlvc.params", "dvcview.run", "dvcview.tracking", "dvcview.project", "dvcview.console",
    "dvcview.errors",
)  # fmt: skip
MAX_DEPS = 12
MAX_ROOT_MODULES = 5
PIPELINE = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
MODULES = sorted(file for package in PACKAGES for file in (SOURCE / package).rglob("*.py"))


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def stages() -> dict[str, list[str]]:
    """The deps of each stage of the pipeline, with the templates of its variants filled in."""
    found = {}
    for name, declared in PIPELINE.items():
        stage = declared
        if "foreach" in stage:
            variants = {
                key: {"key": key, **{f"item.{field}": value for field, value in item.items()}}
                for key, item in stage["foreach"].items()
            }
            stage = stage["do"]
        else:
            matrix = stage.get("matrix", {})
            variants = {
                "-".join(values): {f"item.{key}": v for key, v in zip(matrix, values, strict=True)}
                for values in product(*matrix.values())
            }
        for variant, values in variants.items():
            deps = [
                re.sub(r"\$\{(.*?)\}", lambda match, v=values: v.get(match[1], match[0]), dep)
                for dep in stage["deps"]
            ]
            found[f"{name}@{variant}" if variant else name] = deps
    return found


STAGES = stages()


def code_of(stage: str) -> tuple[str, ...]:
    """The modules that a stage runs; an exercise is imported by its name."""
    name, _, variant = stage.partition("@")
    exercise = (f"dlvc.exercises.{variant}",) if name == "claims" else ()
    return (f"dlvc.stages.{name}", *exercise)


def files_below(dep: str) -> set[str]:
    path = ROOT / dep
    return {dep} if path.is_file() else {str(f.relative_to(ROOT)) for f in path.rglob("*.py")}


def test_imports_point_one_way():
    for file in MODULES:
        here = room(name_of(file))
        for imported in direct_imports(file):
            there = room(imported)
            if there in PACKAGES or here in PACKAGES or (here == there and here != "dlvc.stages"):
                continue
            assert ORDER.index(here) < ORDER.index(there), f"{name_of(file)} imports {imported}"


def test_the_machinery_imports_neither_the_course_nor_its_libraries():
    for file in (SOURCE / "dvcview").rglob("*.py"):
        found = {name.split(".")[0] for name in imported_names(file)}
        assert found.isdisjoint({"dlvc", "torch", "torchvision", "numpy", "PIL"}), file


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("mlflow", {"dvcview.server", "dvcview.tracking", "dlvc.logged_model"}),
        ("matplotlib", {"dlvc.figures"}),
    ],
)
def test_only_one_side_imports_a_slow_library(library, rooms):
    found = {
        room(name_of(file))
        for file in MODULES
        if any(name.split(".")[0] == library for name in imported_names(file))
    }
    assert found == rooms


@pytest.mark.parametrize("stage", sorted(set(PIPELINE) - {"figures"}))
def test_no_other_stage_imports_matplotlib_or_mlflow(stage):
    """They take seconds. `figures` draws for all stages, and the recorder imports MLflow."""
    for name in import_closure(f"dlvc.stages.{stage}", without=CANNOT_CHANGE_OUTS):
        imported = {one.split(".")[0] for one in imported_names(ROOT / name)}
        assert imported.isdisjoint({"matplotlib", "mlflow"}), name


def test_files_stay_readable():
    for file in MODULES:
        lines = len(file.read_text(encoding="utf-8").splitlines())
        assert lines <= (110 if room(name_of(file)) == "dlvc.stages" else 300), name_of(file)


@pytest.mark.parametrize("package", PACKAGES)
def test_few_modules_lie_at_the_root_of_a_package(package):
    assert len(list((SOURCE / package).glob("[a-z]*.py"))) <= MAX_ROOT_MODULES


def test_every_stage_of_the_pipeline_is_a_file_of_its_name():
    files = [file.stem for file in (SOURCE / "dlvc/stages").glob("[a-z]*.py")]
    assert sorted(PIPELINE) == sorted(files)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_few_deps(stage):
    assert len(STAGES[stage]) <= MAX_DEPS


def left_out(stage: str) -> tuple[str, ...]:
    """`params` writes the schema of the parameters, so for it alone they are a dep."""
    return tuple(name for name in CANNOT_CHANGE_OUTS if (stage, name) != ("params", "dlvc.params"))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_code_that_can_change_its_outs(stage):
    """DVC does not follow imports: missing code could change without any stage running again."""
    declared = {
        file for dep in STAGES[stage] if dep.startswith("src/") for file in files_below(dep)
    }
    imported = import_closure(*code_of(stage), without=left_out(stage))
    declared.add("src/dvcview/__init__.py")  # has only imports of dvcview.tracking
    assert imported - declared == set(), "add to the stage's deps in dvc.yaml"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_no_other_code(stage):
    """The variants of a stage have one list of deps: what one of them imports may stand there."""
    name = stage.partition("@")[0]
    variants = [other for other in STAGES if other.partition("@")[0] == name]
    code = {module for variant in variants for module in code_of(variant)}
    imported = import_closure(*code, without=left_out(stage))
    for dep in STAGES[stage]:
        if dep.startswith("src/"):
            assert files_below(dep) & imported, f"remove {dep} from the stage's deps in dvc.yaml"


def test_the_closure_finds_indirect_imports():
    closure = import_closure("dlvc.stages.lenet")
    assert "src/dlvc/models/preprocessing.py" in closure
    assert "src/dlvc/models/mlp/network.py" not in closure
    assert module_file("dlvc.nothing") is None


def test_the_closure_does_not_follow_imports_into_packages_that_are_left_out():
    everything = import_closure("dlvc.stages.lenet")
    without = import_closure("dlvc.stages.lenet", without=("dvcview.tracking",))
    only_by_tracking = {
        "src/dvcview/tracking/stage_logger.py",
        "src/dvcview/project/dvc_processes.py",
    }
    assert only_by_tracking <= everything
    assert only_by_tracking & without == set()
    assert "src/dlvc/params/reader.py" in without


@pytest.mark.parametrize("stage", PIPELINE)
def test_a_stage_depends_on_its_own_section_of_the_parameters(stage):
    declared = PIPELINE[stage].get("do", PIPELINE[stage])
    params = {name.split(".")[0] for name in declared.get("params", [])}
    everything = set(Params.model_fields) - {"data", "runtime"}
    own = {
        "params": set(), "digits": {"data"}, "photos": {"data"}, "report": everything,
        "figures": {"densenet"},  # the report's chart of DenseNet's loss needs its batch size
    }.get(stage, {stage})  # fmt: skip
    assert params - {"runtime"} == own


@pytest.mark.parametrize("stage", sorted(set(PIPELINE) - {"params"}))
def test_dvc_can_restore_a_stage_from_its_cache(stage):
    """DVC never restores a stage with an uncached out that is neither a metric nor a plot."""
    for out in PIPELINE[stage].get("do", PIPELINE[stage])["outs"]:
        assert isinstance(out, str), f"{out} would be made again each time"


def test_src_has_the_two_packages_and_the_entry_point_of_stages():
    found = {path.name for path in SOURCE.iterdir() if not path.name.endswith(".egg-info")}
    assert found - {"__pycache__"} == {*PACKAGES, "stage.py"}


def test_stages_start_with_the_code_of_their_checkout():
    for stage in PIPELINE.values():
        command = stage.get("do", stage)["cmd"]
        assert command.startswith("python src/stage.py "), command
    assert Path(ROOT / "src/stage.py").exists()
