"""Settings of the user, in variables and files, change no byte of a result and stop no stage."""

from __future__ import annotations

import os

import pytest

pytestmark = pytest.mark.full

VARIABLES = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # as every notebook sets it
    "OMP_THREAD_LIMIT": "1",
    "OMP_DYNAMIC": "true",
}
MATPLOTLIBRC = "font.family: serif\naxes.grid: True\ntext.usetex: True\nlines.linewidth: 9\n"


def test_variables_and_configuration_files_change_no_byte(done, tmp_path):
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib/matplotlibrc").write_text(MATPLOTLIBRC)
    lock = (done.root / "dvc.lock").read_bytes()
    done.dvc(
        "repro", "--force", "--single-item", "lenet", "densenet", "figures",
        **VARIABLES, XDG_CONFIG_HOME=str(tmp_path),
    )  # fmt: skip
    assert (done.root / "dvc.lock").read_bytes() == lock


ALONE = (
    "unshare",
    "--pid",
    "--fork",
    "--mount-proc",
    *(["--map-root-user"] if os.getuid() else []),
)


@pytest.mark.parametrize(
    "words",
    [
        ("dvc", "repro", "--force", "--single-item", "costs", "figures"),
        ("python", "-c", "from dvc.cli import main; main(['repro', '--force', '-s', 'costs'])"),
        ("dvc", "exp", "run", "--force", "--single-item", "costs"),
        ("dlvc", "run", "costs"),
    ],
    ids=["dvc repro", "dvc within a program", "dvc exp run", "dlvc run"],
)
def test_a_pipeline_runs_as_process_1_of_a_container(done, words):
    lock = (done.root / "dvc.lock").read_bytes()
    done.call(*ALONE, *words)
    assert (done.root / "dvc.lock").read_bytes() == lock
