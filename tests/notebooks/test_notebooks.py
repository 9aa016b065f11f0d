"""The notebooks run from the first cell to the last, and git has them without outputs."""

from __future__ import annotations

import ast
import re
from importlib import import_module

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from dlvc.arrays.dataset import Dataset, save_dataset
from dlvc.evidence.lectures import read_lectures
from tests.imports import PACKAGES, ROOT, SOURCE, module_file
from tests.test_architecture import PIPELINE

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(file.stem for file in FOLDER.glob("*.ipynb"))
MAX_SIZE = 100 * 1024  # bytes
# A whole notebook takes less than a minute on two idle cores.
SECONDS_PER_CELL = 240


def read(name: str):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code_of(notebook) -> ast.Module:
    """The Python code of all cells, without IPython's own commands."""
    cells = (cell.source for cell in notebook.cells if cell.cell_type == "code")
    return ast.parse(re.sub(r"^%.*$", "", "\n".join(cells), flags=re.MULTILINE))


def test_every_lecture_has_a_notebook():
    lectures = read_lectures(ROOT / "lectures.yaml")
    assert [f"lecture_{lecture.number}" for lecture in lectures] == NOTEBOOKS


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_small_and_has_no_outputs(name):
    notebook = read(name)
    nbformat.validate(notebook)
    assert (FOLDER / f"{name}.ipynb").stat().st_size < MAX_SIZE
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs, cell.id
            assert cell.execution_count is None, cell.id


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_uses_public_names_that_exist(name):
    found = 0
    for node in ast.walk(code_of(read(name))):
        if isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_"), node.attr
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in PACKAGES:
            module = import_module(node.module)
            for alias in node.names:
                assert not alias.name.startswith("_"), alias.name
                if module_file(f"{node.module}.{alias.name}") is None:
                    assert hasattr(module, alias.name), f"{node.module} has no {alias.name}"
                found += 1
    assert found > 5


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_names_files_and_stages_that_exist(name):
    text = "\n".join(cell.source for cell in read(name).cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert len(links) >= 3
    for link in links:
        assert (FOLDER / link).exists(), link
    (stage,) = re.findall(r"`dlvc run (\w+)`", text)
    assert stage in PIPELINE


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The root of a project without data; kernels use this checkout's code."""
    (tmp_path / ".dvc").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))
    return tmp_path


def outputs_of(name: str, root):
    """The outputs of all cells, run in a folder below the project's root."""
    folder = root / "some/folder"
    folder.mkdir(parents=True)
    notebook = read(name)
    NotebookClient(
        notebook, timeout=SECONDS_PER_CELL, resources={"metadata": {"path": str(folder)}}
    ).execute()
    return [
        output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
    ]


@pytest.mark.full
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_without_data_and_without_warnings(name, project):
    outputs = outputs_of(name, project)
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 4
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []


@pytest.mark.full
@pytest.mark.parametrize(("name", "shape"), [("lecture_05", (32, 32, 3)), ("lecture_24", (28, 28))])
def test_a_notebook_takes_the_images_that_the_pipeline_has_left(name, shape, project):
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 256, (300, *shape), np.uint8), np.arange(300) % 3
    dataset = Dataset("own pictures", None, ("a", "b", "c"), images, labels, images, labels)
    save_dataset(project / "data" / ("photos" if len(shape) == 3 else "digits"), dataset)
    printed = "".join(output.get("text", "") for output in outputs_of(name, project))
    assert "own pictures: 300 training and 300 test images" in printed
