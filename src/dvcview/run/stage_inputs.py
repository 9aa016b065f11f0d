"""The deps and parameters of a stage, read from dvc.yaml, and whether they change while it runs.

DVC records in dvc.lock what the deps and parameters are *after* a stage has run. If a file is
edited meanwhile, DVC records the results under a state that did not produce them.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dvcview.errors import UserError, truncate
from dvcview.files.checksum import md5_of_bytes
from dvcview.files.yaml_files import read_yaml
from dvcview.project.params import PARAMS_FILE, flatten, select

PIPELINE = Path("dvc.yaml")
SMALL = 1_000_000  # bytes: larger files are identified by their size and modification time


@dataclass(frozen=True)
class StageInputs:
    """The deps and parameters of a stage at one moment."""

    files: Mapping[str, object]
    params: Mapping[str, Any]

    @classmethod
    def read(cls, stage: str, variant: str | None = None) -> StageInputs:
        """The current inputs; none if there is no dvc.yaml."""
        if not PIPELINE.exists():
            return cls({}, {})
        declared = YAML(typ="safe").load(PIPELINE)["stages"][stage]
        templates = {f"item.{name}": variant for name in declared.get("matrix", ())}
        if "foreach" in declared:
            item = declared["foreach"][variant]
            templates |= flatten({"key": variant, "item": item})
            declared = declared["do"]
        if "params" not in declared:  # the stage may be the one that checks them
            return cls(_fingerprints(declared["deps"]), {})
        params = flatten(read_yaml(PARAMS_FILE))
        known = {**params, **templates}
        deps = [_resolve(dep, known) for dep in declared.get("deps", [])]
        names = [_resolve(name, known) for name in declared["params"]]
        return cls(_fingerprints(deps), select(params, *names))

    def check_unchanged(self, stage: str, variant: str | None = None) -> None:
        """Raise a `UserError` if the inputs have changed since they were read."""
        now = StageInputs.read(stage, variant)
        for before, after in ((self.params, now.params), (self.files, now.files)):
            for name in {**before, **after}:
                if before.get(name) != after.get(name):
                    is_param = before is self.params
                    was = f" (it was {truncate(before.get(name))})" if is_param else ""
                    raise UserError(
                        f"{name} has changed while {stage} was running{was}: its results belong to "
                        "neither state and are not recorded; run the same command again"
                    )


def _resolve(text: str, known: Mapping[str, Any]) -> str:
    return re.sub(r"\$\{([^}]+)\}", lambda match: str(known[match[1]]), text)


def _fingerprints(deps: Iterable[str]) -> dict[str, object]:
    return {str(dep): _fingerprint(Path(dep)) for dep in deps}


def _fingerprint(dep: Path) -> object:
    """A value that differs when a dep differs; one digest for a folder of any number of files."""
    if not dep.is_dir():
        return _fingerprint_of_file(dep)
    digest = hashlib.sha256()
    for folder, folders, names in os.walk(dep):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            file = Path(folder, name)
            line = f"{file} {_fingerprint_of_file(file)}\n"
            digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _fingerprint_of_file(file: Path) -> object:
    try:
        status = file.stat()
        if file.is_file() and status.st_size < SMALL:
            return md5_of_bytes(file.read_bytes())
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
