"""The command `dvcview`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dvcview.console import run_command
from dvcview.errors import UserError
from dvcview.project.root import find_root


def main() -> None:
    """Entry point of `dvcview`."""
    run_command(_main)


def _main() -> None:
    parser = argparse.ArgumentParser(
        prog="dvcview", description="Any DVC pipeline, visible in MLflow.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("sync", help="make MLflow show every stage of dvc.lock")
    which = commands.add_parser("which", help="print the MLflow run that a file comes from")
    which.add_argument("file", type=Path)
    commands.add_parser("verify", help="check that no file of the pipeline is damaged")
    run = commands.add_parser("run", help="run `dvc repro` safely, then sync MLflow")
    run.add_argument("stage", nargs="?", help="only this stage and what it needs")
    ui = commands.add_parser("ui", help="open the results in MLflow, on this machine alone")
    ui.add_argument("--port", default="5000")
    database = commands.add_parser("database", help="start or stop PostgreSQL for `server`")
    database.add_argument("action", choices=("start", "stop"))
    server = commands.add_parser("server", help="serve MLflow for a team, on PostgreSQL")
    server.add_argument("--host", default="127.0.0.1")
    server.add_argument("--port", default="5000")
    arguments = parser.parse_args()
    root = find_root(Path.cwd())
    # For the functions that dvcview.yaml names. Last, so that no file of the project, such as
    # json.py, replaces a module of the same name.
    sys.path.append(str(root))
    _run(arguments, root)


def _run(arguments: argparse.Namespace, root: Path) -> None:
    """Run a command. Each imports what it needs, since some imports are slow."""
    if arguments.command in ("sync", "which", "verify"):
        from dvcview.run.without_git import configure_scm

        configure_scm(root)
    match arguments.command:
        case "sync":
            from dvcview.tracking.sync import sync

            print(sync(root))
        case "which":
            from dvcview.tracking.which import which_run

            print(which_run(root, arguments.file))
        case "verify":
            from dvcview.project.config import read_config
            from dvcview.verify.verify import verify

            if not verify(root, read_config(root).import_checks()):
                raise SystemExit(1)
        case "run":
            from dvcview.run.repro import run_pipeline

            if Path.cwd() != root:
                raise UserError(f"`dvcview run` works in the project's folder; run: cd {root}")
            exit_code = run_pipeline(arguments.stage, ())
            if exit_code:
                raise SystemExit(exit_code)
        case "ui":
            from dvcview.server.ui import serve_ui

            serve_ui(root, arguments.port)
        case "database":
            from dvcview.server.postgres import run_database

            run_database(root, arguments.action)
        case "server":
            from dvcview.server.mlflow_server import serve

            serve(root, arguments.host, arguments.port)
