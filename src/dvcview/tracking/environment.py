"""What a result may depend on besides its deps: the commit, uncommitted changes, the machine."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dvcview.errors import UserError, redacted
from dvcview.project.git import git, head_commit
from dvcview.project.lockfile import LOCKFILE, read_states

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-image", "mlflow", "dvc")
# Files that DVC and MLflow write, besides the outs; changes in them are not the user's.
WRITTEN_BY_TOOLS = ("**/dvc.lock", "**/.gitignore", "mlflow.db*", "mlruns/**")
# Files that may contain keys of remotes and servers: a diff names them and does not show them.
PRIVATE = (".dvc/config*", "**/.env*")
MAX_DIFF = 1_000_000  # characters


def capture_environment(device: str, *, in_experiment: bool = False) -> dict[str, Any]:
    """The "tags" by name, the "commit", and the changes of the working tree as "diff"."""
    try:
        commit, diff = git_state(Path.cwd(), in_experiment=in_experiment)
    except UserError:  # `dvcview sync` reports it; a stage goes on
        commit, diff = None, ""
    tags = {
        "device": device,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        **_versions(),
    }
    torch: Any = sys.modules.get("torch")  # a stage that does not use it need not import it
    if torch is not None:
        tags["torch"] = torch.__version__  # with its build, such as +cpu or +cu132
        tags["cpu capability"] = torch.backends.cpu.get_cpu_capability()
        tags["threads"] = str(torch.get_num_threads())
        if device.startswith("cuda"):
            tags["gpu"] = torch.cuda.get_device_name()
    return {"tags": tags, "commit": commit, "diff": diff}


def _versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _outs(folder: Path) -> list[str]:
    """The outs in the dvc.lock of a folder. Git tracks those that DVC does not cache."""
    lock = folder / LOCKFILE
    states = read_states(lock.read_text(encoding="utf-8")) if lock.exists() else {}
    return [path for state in states.values() for path in state.outs]


def git_state(folder: Path, *, in_experiment: bool = False) -> tuple[str | None, str]:
    """The commit, and the changes of the working tree as a diff; empty if there are none.

    Files that DVC writes are left out, because the run's tags identify their content. So is
    params.yaml in an experiment: `dvc exp run -S` writes it. Passwords are removed.
    """
    commit = head_commit(folder)
    if commit is None:
        return None, ""
    ignored = [*WRITTEN_BY_TOOLS, *(["params.yaml"] if in_experiment else [])]
    outs = [f":(exclude,literal){out}" for out in _outs(folder)]
    paths = [".", *(f":(exclude,glob){name}" for name in ignored), *outs]
    shown = [*paths, *(f":(exclude,glob){name}" for name in PRIVATE)]
    diff = redacted(git(folder, "diff", "--no-ext-diff", "HEAD", "--", *shown))
    private = [f":(glob){name}" for name in PRIVATE]
    for name in git(folder, "diff", "--name-only", "HEAD", "--", *private).splitlines():
        diff += f"changed, not in this diff: {name}\n"
    for name in git(folder, "ls-files", "--others", "--exclude-standard", "--", *paths).split("\n"):
        if name:
            diff += f"not committed, not in this diff: {name}\n"
    return commit, diff[:MAX_DIFF]
