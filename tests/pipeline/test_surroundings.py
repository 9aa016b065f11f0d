"""The user's account, settings and folders change no byte of a result and stop no stage."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from tests.pipeline.project import SMALL, Project

pytestmark = pytest.mark.full

VARIABLES = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # as every notebook sets it
    "OMP_THREAD_LIMIT": "1",
    "OMP_DYNAMIC": "true",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "NUMBA_DISABLE_JIT": "1",
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "SSE4_2",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3",
    "MLFLOW_REGISTRY_URI": "databricks-uc",
    "PYTHONSAFEPATH": "1",  # Python does not add the folder of stage.py to its path
}
MATPLOTLIBRC = "font.family: serif\naxes.grid: True\ntext.usetex: True\nlines.linewidth: 9\n"


def test_variables_and_configuration_files_change_no_byte(done, tmp_path):
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib/matplotlibrc").write_text(MATPLOTLIBRC)
    lock = (done.root / "dvc.lock").read_bytes()
    done.dvc(
        "repro", "--force", "--single-item", "features", "update_rules@per_sample", "lenet",
        "densenet", "figures",
        **VARIABLES, XDG_CONFIG_HOME=str(tmp_path),
    )  # fmt: skip
    assert (done.root / "dvc.lock").read_bytes() == lock


def test_files_of_the_project_replace_no_module(done):
    for name in ("json.py", "mlflow.py", "dvc.py", "numpy.py"):
        (done.root / name).write_text("raise SystemExit('the file of the project')")
    done.call("dlvc", "run", "costs", "--costs.image_size", "40")
    done.call("dvcview", "verify")
    assert "costs" in done.call("dvcview", "which", "results/costs/models.csv").stdout


def test_a_stage_runs_the_code_of_its_own_checkout(done):
    """Also where the environment has the package of another checkout."""
    stage = done.root / "src/dlvc/stages/costs.py"
    stage.write_text("raise SystemExit('this checkout')")
    for safe in ("", "1"):
        found = done.call("python", "src/stage.py", "costs", ok=False, PYTHONSAFEPATH=safe)
        assert found.stderr.strip() == "this checkout"


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


def shell(*lines: str) -> tuple[str, ...]:
    return ("sh", "-ec", "; ".join(lines))


# The account of a container or a service: a number without a name, here with root's files.
NAMELESS = ("unshare", "--user", "--map-user=12345", "--map-group=12345", "env", "-u", "USER",
            "-u", "LOGNAME")  # fmt: skip
without_user_namespaces = (
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "--user", "true"], check=False).returncode
)


@pytest.mark.skipif(bool(without_user_namespaces), reason="needs user namespaces")
@pytest.mark.parametrize("home", ["HOME=/sys", "HOME=/"])
def test_a_user_without_a_name_and_a_writable_home(done, home):
    changed = "dlvc run costs --costs.image_size 40"
    for words in ("id --user", "dvcview verify", "dvcview which results/lenet/conv1.npy", changed):
        said = done.call(*NAMELESS, home, *words.split(), SHELL="/usr/sbin/nologin").stdout
        assert words != "id --user" or said.strip() == "12345"
    assert "image_size: 40" in (done.root / "params.yaml").read_text()


@pytest.mark.skipif(bool(without_user_namespaces), reason="needs user namespaces")
def test_a_user_without_a_home_is_told_what_to_set(scratch):
    for words in (("dlvc", "run"), ("dvcview", "verify"), ("python", "src/stage.py", "costs")):
        found = scratch.call(*NAMELESS, "-u", "HOME", *words, ok=False)
        assert found.returncode == 2
        assert found.stderr == (
            "error: this user has no home folder; set HOME to a folder that you can write to\n"
        )


@pytest.mark.skipif(os.getuid() != 0, reason="mounts need root")
def test_a_var_tmp_that_cannot_be_written_to(done):
    read_only = ("mount --bind /var/tmp /var/tmp", "mount -o remount,bind,ro /var/tmp")
    for command in ("dlvc run costs --costs.image_size 40", "dvcview verify", "dvcview sync"):
        done.call("unshare", "--mount", *shell(*read_only, "! touch /var/tmp/x", command))


def test_an_archive_without_git(tmp_path):
    project = Project.copy(tmp_path / "dlvc-main", SMALL)
    shutil.rmtree(project.root / ".git")
    first = project.call("dvcview", "sync", ok=False).stderr  # before anything has run
    second = project.call("dlvc", "run", "costs").stderr
    assert "this folder is not in a git repository, so there is no history" in first
    assert "git" not in second
    project.call("dlvc", "run", "costs", "--costs.image_size", "40")
    assert "image_size: 40" in (project.root / "params.yaml").read_text()
    assert "intact" in project.call("dvcview", "verify").stdout
    assert "costs" in project.call("dvcview", "which", "results/costs/models.csv").stdout
    project.call("git", "init", "--quiet")
    project.commit("the history begins")
    project.call("dlvc", "run", "costs", "--costs.image_size", "48")  # `dvc exp run`
    assert "no_scm" not in (project.root / ".dvc/config.local").read_text()


def artifacts(project: Project) -> list[Path]:
    """Where MLflow says that each run has its artifacts."""
    client = project.client
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return [
        Path(url2pathname(urlsplit(run.info.artifact_uri).path))
        for run in client.search_runs(experiments)
    ]


def test_a_folder_that_was_copied_and_moved(course, tmp_path):
    files = sorted((course.root / "mlruns").rglob("*"))
    copy = Project(shutil.copytree(course.root, tmp_path / "copy", symlinks=True))
    copy.call("dlvc", "run", "costs", "--costs.image_size", "40")
    assert sorted((course.root / "mlruns").rglob("*")) == files
    assert all(folder.is_relative_to(copy.root) for folder in artifacts(copy))

    moved = Project(copy.root.rename(tmp_path / "another place"))
    said = moved.call("dvcview", "sync").stderr
    assert (
        said == f"the project was moved or copied; MLflow's artifacts are in {moved.root}/mlruns\n"
    )
    assert moved.call("dvcview", "sync").stderr == ""
    assert all(folder.is_relative_to(moved.root) for folder in artifacts(moved))
    code = (
        "import mlflow, numpy; model = mlflow.pyfunc.load_model('models:/lenet@current'); "
        "print(model.predict(numpy.ones((2, 28, 28), numpy.uint8)).shape)"
    )
    uri = f"sqlite:///{moved.root / 'mlflow.db'}"
    assert "(2, 10)" in moved.call("python", "-c", code, MLFLOW_TRACKING_URI=uri).stdout
