"""Checks params.yaml before any other stage runs. Writes params.schema.json, which editors read.

DVC deletes the outs of a stage before it starts the stage, so a stage that checked its own
parameters would check them too late. This stage runs first, and its out depends on no value. If it
fails, the outs of all other stages are still there. If it succeeds, no other stage has to run again
because of it.
"""

from __future__ import annotations

from pathlib import Path

from dlvc.params.reader import Params, check_pictures, read_params
from dvcview.files.artifacts import write_json
from dvcview.tracking import stage_run

SCHEMA = Path("params.schema.json")


def main() -> None:
    """Check the parameters, save their schema."""
    with stage_run("params", SCHEMA, {}):
        check_pictures(read_params())
        write_json(SCHEMA, Params.model_json_schema())
