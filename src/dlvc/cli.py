"""The few commands that are no stage: run, sync, which, profile, database, server."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlvc.command import run_command
from dlvc.database import run_database
from dlvc.errors import UserError
from dlvc.params import read_params
from dlvc.profiles import (
    as_overrides,
    check_overlay,
    parse_overrides,
    read_profile,
)
from dlvc.server import serve
from dlvc.tracking.execution import PARENT_RUN
from dlvc.tracking.run import MODE
from dlvc.tracking.sync import sync
from dlvc.tracking.which import which_run


def main() -> None:
    """The entry point of `dlvc`."""
    run_command(_main)


def _main() -> None:
    parser = argparse.ArgumentParser(
        prog="dlvc", description="Five lectures as one reproducible pipeline.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser(
        "run",
        help="check params.yaml, then run what has changed",
        epilog="Any parameter can follow as --section.key value: then it is `dvc exp run -S ...`.",
        allow_abbrev=False,
    )
    run.add_argument("stage", nargs="?", help="only this stage and what it needs (default: all)")
    run.add_argument("--profile", help="values from profiles/<PROFILE>.yaml")
    commands.add_parser("sync", help="bring MLflow to the state of dvc.lock")
    which = commands.add_parser("which", help="print the MLflow run that a file comes from")
    which.add_argument("file", type=Path)
    profile = commands.add_parser("profile", help="print a profile as words for `dvc exp run`")
    profile.add_argument("name")
    database = commands.add_parser("database", help="start or stop PostgreSQL for `dlvc server`")
    database.add_argument("action", choices=("start", "stop"))
    server = commands.add_parser("server", help="MLflow for a team, on PostgreSQL")
    server.add_argument("--host", default="127.0.0.1")
    server.add_argument("--port", default="5000")
    arguments, rest = parser.parse_known_args()

    if not Path("dvc.yaml").exists():
        raise UserError(f"no dvc.yaml in {Path.cwd()}; run dlvc in the project's folder")
    if arguments.command == "run":
        values = read_profile(arguments.profile) if arguments.profile else {}
        values |= parse_overrides(rest)
        failed = run_pipeline(arguments.stage, values)
        if failed:
            raise SystemExit(failed)
        return
    if rest:
        raise UserError(f"{' '.join(rest)} is not understood; see dlvc {arguments.command} --help")
    match arguments.command:
        case "sync":
            print(sync(Path.cwd()))
        case "which":
            print(which_run(Path.cwd(), arguments.file))
        case "profile":
            print(*as_overrides(read_profile(arguments.name)))
        case "database":
            raise SystemExit(run_database(Path.cwd(), arguments.action))
        case "server":
            serve(Path.cwd(), arguments.host, arguments.port)


def run_pipeline(stage: str | None, values: Mapping[str, Any]) -> int:
    """`dvc repro`; with values `dvc exp run`, which leaves them in params.yaml. Then a sync.

    Everything is checked first: DVC deletes a stage's outs before the stage could complain.
    """
    if values:
        check_overlay(values, "the values given")
        words = ["exp", "run", *as_overrides(values)]
    else:
        read_params()
        words = ["repro"]
    command = [sys.executable, "-m", "dvc", *words, *([stage] if stage else [])]
    failed = subprocess.call(command, env=_environment())
    try:
        print(sync(Path.cwd()))
    except UserError as error:  # a view, never a condition
        if os.environ.get(MODE) == "strict":
            raise
        print(error, file=sys.stderr)
    return failed


def _environment() -> dict[str, str]:
    """Ours, with this environment's `python` first, and with `mlflow run`'s run as parent.

    `MLFLOW_RUN_ID` itself must not reach the stages: each would take that run for its own.
    """
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    run_id = environment.pop("MLFLOW_RUN_ID", None)
    if run_id:
        environment[PARENT_RUN] = run_id
    return environment


if __name__ == "__main__":
    main()
