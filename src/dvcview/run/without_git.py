"""Lets DVC work in a folder that is not in a git repository, such as an unpacked archive."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dvcview.console import log
from dvcview.project.git import in_repository
from dvcview.project.params import PARAMS_FILE
from dvcview.project.root import STATE_FOLDER, make_state_folder

NO_SCM = "core.no_scm"
CONFIGS = (Path(".dvc/config"), Path(".dvc/config.local"))
MARK = "no_scm"  # a file in dvcview's folder: the option was set here, and not by the user


def configure_scm(root: Path) -> None:
    """Set DVC's option `core.no_scm` outside of git repositories, and unset it in them.

    Without the option, DVC refuses to work outside of a repository. With it, DVC ignores a
    repository that was created later. Only `.dvc/config.local` is changed, and an option that the
    user has set stays.
    """
    mark = root / STATE_FOLDER / MARK
    if in_repository(root):
        if mark.exists():
            _configure(root, "--unset", NO_SCM)
            mark.unlink()
    elif not any(_names_option(root / config) for config in CONFIGS):
        (make_state_folder(root) / MARK).touch()
        _configure(root, NO_SCM, "true")
        log(
            "this folder is not in a git repository, so there is no history: no experiments, no "
            "comparison with committed results, no commit in MLflow; `git init`, `git add .` and "
            "`git commit` begin one, which the next `make` command uses"
        )


def write_params(overrides: Sequence[str]) -> None:
    """Write values into params.yaml as `dvc exp run -S key=value ...` does, which needs git."""
    from dvc.utils.hydra import apply_overrides

    apply_overrides(PARAMS_FILE, [value for value in overrides if value != "-S"])


def _names_option(file: Path) -> bool:
    return file.is_file() and "no_scm" in file.read_text(encoding="utf-8", errors="replace")


def _configure(root: Path, *words: str) -> None:
    command = [sys.executable, "-P", "-m", "dvc", "config", "--quiet", "--local", *words]
    subprocess.run(command, cwd=root, check=False)
