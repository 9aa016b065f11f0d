"""Nothing runs that somebody else could have written: no shell, no package without its hash."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest
from ruamel.yaml import YAML

from tests.imports import ROOT

yaml = YAML(typ="safe")
STAGES = yaml.load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
ENTRY_POINTS = yaml.load((ROOT / "MLproject").read_text(encoding="utf-8"))["entry_points"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DEPENDENCIES = PROJECT["project"]["dependencies"].copy()
for extra in PROJECT["project"]["optional-dependencies"].values():
    DEPENDENCIES += extra
# Programs of our own, started with lists of words: allowed, in pyproject.toml and here.
LISTS_OF_WORDS = "S603,S607"


@pytest.mark.parametrize("name", STAGES)
def test_dvc_puts_nothing_into_a_command_but_the_words_of_its_matrix(name):
    """`cmd` goes to a shell: the value of a parameter in it could be a command of its own."""
    stage = STAGES[name]
    command = stage.get("do", stage)["cmd"]
    assert re.fullmatch(r"python src/stage\.py \w+( \$\{(item\.\w+|key)\})?", command)
    for items in [*stage.get("matrix", {}).values(), stage.get("foreach", {})]:
        assert all(re.fullmatch(r"\w+", item) for item in items)


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_mlflow_puts_nothing_into_a_command(name):
    """It would put in a parameter that is declared; any other it appends as a quoted word."""
    assert ENTRY_POINTS[name].keys() == {"command"}
    command = ENTRY_POINTS[name]["command"]
    assert re.fullmatch(r"env PYTHONPATH=src python -m dlvc\.cli run( \w+)?", command)


def findings(*words: str) -> subprocess.CompletedProcess[str]:
    """What bandit's rules, as ruff has them, find, whatever pyproject.toml says of them."""
    return subprocess.run(
        ["ruff", "check", "--isolated", "--no-cache", "--select", "S", "--ignore", LISTS_OF_WORDS,
         *words],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_no_shell_no_eval_no_weak_hash_and_whatever_else_bandit_looks_for():
    done = findings("src", "tools", "benchmarks")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("import subprocess\nsubprocess.run(f'ls {x}', shell=True)\n", "S602"),
        ("import os\nos.system(f'ls {x}')\n", "S605"),
        ("import pickle\npickle.loads(x)\n", "S301"),
        ("eval(x)\n", "S307"),
    ],
)
def test_the_rules_find_what_they_are_for(tmp_path, line, rule):
    (tmp_path / "code.py").write_text(line)
    assert rule in findings(str(tmp_path)).stdout
    selected = PROJECT["tool"]["ruff"]["lint"]["select"]
    assert "S" in selected


def locked() -> dict[str, str]:
    """The lines of requirements.lock by package."""
    entries = re.split(r"\n(?=[A-Za-z0-9])", LOCK.strip())
    return {re.split(r"[=<>@ ;\[]", entry, maxsplit=1)[0]: entry for entry in entries}


def test_every_package_is_pinned_to_a_version_and_to_the_hashes_of_its_files():
    packages = locked()
    assert len(packages) > 100
    for name, entry in packages.items():
        assert re.match(rf"{re.escape(name)}==[\w.+!]+( ; [^\\\n]+)? \\\n", entry), name
        hashes = re.findall(r"^    --hash=(.*?)(?: \\)?$", entry, re.MULTILINE)
        assert hashes, name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes), name


@pytest.mark.parametrize("wanted", DEPENDENCIES)
def test_every_dependency_stands_in_the_lock(wanted):
    name = re.match(r"[\w.-]+", wanted).group().lower().replace("_", "-").replace(".", "-")
    assert name in locked()


def test_the_set_up_installs_nothing_without_a_hash():
    code = (ROOT / "tools/set_up.py").read_text(encoding="utf-8")
    # This project's own code has none: it is installed from its folder, without dependencies.
    ours = '    call(*install, "--no-deps", "--no-build-isolation", "-e", str(ROOT))'
    calls = re.findall(r"^ +call\(.*install.*\)$", code, re.MULTILINE)
    assert calls.count(ours) == 1
    # Python itself: uv has the checksums of its releases.
    python = '    call(uv, "python", "install", wanted, hint=hint)'
    assert calls.count(python) == 1
    assert len(calls) == 4
    assert all("--require-hashes" in call for call in calls if call not in (ours, python))
