"""What a stage depends on, as dvc.yaml says, and whether it has changed while the stage ran.

DVC writes into dvc.lock what the deps and parameters are *after* a stage has run. Whoever edits a
file meanwhile would have results recorded under a state that they do not come from.
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

from dlvc.params.reader import flatten, read_params
from dvcview.errors import UserError, short
from dvcview.files.hashes import md5_of_bytes

PIPELINE = Path("dvc.yaml")
SMALL = 1_000_000  # bytes: larger files are known by their size and time of change


@dataclass(frozen=True)
class Inputs:
    """The deps and parameters of a stage at one moment."""

    files: Mapping[str, object]
    params: Mapping[str, Any]

    @classmethod
    def of(cls, stage: str, variant: str | None = None) -> Inputs:
        """As they are now; nothing where there is no dvc.yaml."""
        if not PIPELINE.exists():
            return cls({}, {})
        declared = YAML(typ="safe").load(PIPELINE)["stages"][stage]
        items = {f"item.{name}": variant for name in declared.get("matrix", ())}
        if "foreach" in declared:
            items |= {"key": variant, "item": declared["foreach"][variant]}
            declared = declared["do"]
        if "params" not in declared:  # it may be the one that checks them
            return cls(_marks(declared["deps"]), {})
        params = read_params()
        known = {**flatten(params.model_dump()), **items}
        deps = [_fill_in(dep, known) for dep in declared.get("deps", [])]
        names = [_fill_in(name, known) for name in declared["params"]]
        return cls(_marks(deps), params.select(*names))

    def check_unchanged(self, stage: str, variant: str | None = None) -> None:
        """Refuse what the stage has made if it does not come from what is there now."""
        now = Inputs.of(stage, variant)
        for before, after in ((self.params, now.params), (self.files, now.files)):
            for name in {**before, **after}:
                if before.get(name) != after.get(name):
                    is_param = before is self.params
                    was = f" (it was {short(before.get(name))})" if is_param else ""
                    raise UserError(
                        f"{name} has changed while {stage} was running{was}: its results belong to "
                        "neither state and are not recorded; run the same command again"
                    )


def _fill_in(text: str, known: Mapping[str, Any]) -> str:
    return re.sub(r"\$\{([^}]+)\}", lambda match: str(known[match[1]]), text)


def _marks(deps: Iterable[str]) -> dict[str, object]:
    return {str(dep): _mark(Path(dep)) for dep in deps}


def _mark(dep: Path) -> object:
    """What tells one content of a dep from another; of a folder one for all its files, of which
    there may be a million."""
    if not dep.is_dir():
        return _mark_of_file(dep)
    digest = hashlib.sha256()
    for folder, folders, names in os.walk(dep):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            file = Path(folder, name)
            digest.update(f"{file} {_mark_of_file(file)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _mark_of_file(file: Path) -> object:
    try:
        status = file.stat()
        if file.is_file() and status.st_size < SMALL:
            return md5_of_bytes(file.read_bytes())
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
