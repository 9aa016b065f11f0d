"""What a result may depend on besides its deps: the commit, what is not committed, the machine."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dvcview.errors import redacted
from dvcview.project.git import git, head_commit

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-image", "mlflow", "dvc")
# What DVC itself writes: no edit of anybody's.
WRITTEN_BY_DVC = ("dvc.lock", "params.schema.json", "results/**", "**/.gitignore")
# Where keys of remotes and servers may stand: that they differ is said, not in what.
PRIVATE = (".dvc/config*", "**/.env*")
LONGEST_DIFF = 1_000_000  # characters


def surroundings(device: str, *, in_experiment: bool = False) -> dict[str, Any]:
    """Tags by name, and under "diff" what the working tree has beyond its commit."""
    commit, diff = git_state(Path.cwd(), in_experiment=in_experiment)
    tags = {
        "device": device,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        **{name: version(name) for name in PACKAGES},
    }
    if "torch" in sys.modules:  # stages that do not compute with it do not wait for its import
        import torch

        tags["torch"] = torch.__version__  # with the build's kind, as +cpu or +cu132
        tags["cpu capability"] = torch.backends.cpu.get_cpu_capability()
        tags["threads"] = str(torch.get_num_threads())
        if device.startswith("cuda"):
            tags["gpu"] = torch.cuda.get_device_name()
    return {"tags": tags, "commit": commit, "diff": diff}


def git_state(folder: Path, *, in_experiment: bool = False) -> tuple[str | None, str]:
    """The commit, and what the tree has beyond it, as a diff; empty when there is nothing.

    Files that DVC writes are left out: the run's tags say what is in them. `dvc exp run -S` writes
    params.yaml, too. Passwords are taken out.
    """
    commit = head_commit(folder)
    if commit is None:
        return None, ""
    ignored = [*WRITTEN_BY_DVC, *(["params.yaml"] if in_experiment else [])]
    paths = [".", *(f":(exclude,glob){name}" for name in ignored)]
    shown = [*paths, *(f":(exclude,glob){name}" for name in PRIVATE)]
    diff = redacted(git(folder, "diff", "HEAD", "--", *shown))
    private = [f":(glob){name}" for name in PRIVATE]
    for name in git(folder, "diff", "--name-only", "HEAD", "--", *private).splitlines():
        diff += f"changed, not in this diff: {name}\n"
    for name in git(folder, "ls-files", "--others", "--exclude-standard", "--", *paths).split("\n"):
        if name:
            diff += f"not committed, not in this diff: {name}\n"
    return commit, diff[:LONGEST_DIFF]
