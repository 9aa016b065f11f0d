"""Settings of the user, in variables and files, change no byte of a result and stop no stage."""

from __future__ import annotations

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
