"""Pictures that one stage draws from the outs of other stages, shown in those stages' runs.

The out that dvcview.yaml names as `pictures` is a JSON object: for each picture the files that it
was drawn from, with their MD5s. A picture belongs to a state if all these files are outs of the
state, with the same MD5s. So a run never shows a picture that was drawn from another state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dvcview.files.artifacts import read_json
from dvcview.files.checksum import md5_of_bytes
from dvcview.project.lockfile import MissingFileError, Pipeline, StageState
from dvcview.tracking.run_store import RunStore
from dvcview.tracking.tags import PICTURES


class Pictures:
    """The pictures of a pipeline's states."""

    def __init__(self, pipeline: Pipeline, states: Mapping[str, StageState], source: str) -> None:
        self._pipeline = pipeline
        self._inputs: Mapping[str, Mapping[str, str]] = {}
        self._files: dict[str, str] = {}
        for state in states.values():
            if source in state.outs:
                found = pipeline.find(source, state.outs[source])
                try:
                    self._files = pipeline.files(state) if found else {}
                except MissingFileError:
                    continue
                self._inputs = read_json(found) if found else {}

    def of(self, state: StageState) -> dict[str, str]:
        """The MD5 of each picture that was drawn from the outs of this state, by path."""
        if not self._inputs:
            return {}
        try:
            outs = self._pipeline.files(state)
        except MissingFileError:
            return {}
        return {
            picture: self._files[picture]
            for picture, inputs in self._inputs.items()
            if inputs and picture in self._files and inputs.items() <= outs.items()
        }

    def log(self, run_store: RunStore, run: Any, state: StageState) -> bool:
        """Log the pictures of a state to its run, unless the run already has them.

        Returns:
            Whether the run has them now; False if a file is not on this machine.
        """
        pictures = self.of(state)
        digest = md5_of_bytes(json.dumps(pictures, sort_keys=True).encode())
        if not pictures or run.data.tags.get(PICTURES) == digest:
            return True
        found: list[tuple[str, Path]] = []
        for picture, md5 in pictures.items():
            file = self._pipeline.find(picture, md5)
            if file is None:
                return False
            found.append((Path(picture).name, file))
        for name, file in found:
            run_store.log_file(run.info.run_id, file, name)
        run_store.log(run.info.run_id, tags={PICTURES: digest})
        return True
