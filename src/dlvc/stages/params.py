"""Checks params.yaml before anything else runs. Leaves params.schema.json, which editors read.

DVC deletes a stage's outs before it calls the stage, so a stage that finds a bad value finds it
too late. This one comes first in the DAG and has one out that no parameter changes: when it
stops, nothing below it has been touched; when it passes, nothing below it has to run again.
"""

from __future__ import annotations

from pathlib import Path

from dlvc.params.reader import Params, check_pictures, read_params
from dvcview.files.artifacts import write_json
from dvcview.tracking import stage_run

SCHEMA = Path("params.schema.json")


def main() -> None:
    """Check, and save what the check allows."""
    with stage_run("params", SCHEMA, {}):
        check_pictures(read_params())
        write_json(SCHEMA, Params.model_json_schema())
