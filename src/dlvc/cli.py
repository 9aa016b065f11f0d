"""The few commands that are no stage."""

from __future__ import annotations

import argparse
from pathlib import Path

from dlvc.params.overrides import as_overrides, parse_overrides, read_profile
from dlvc.params.reader import read_params
from dlvc.report.linked import link_report
from dvcview.console import run_command
from dvcview.errors import UserError, short
from dvcview.run.repro import run_pipeline
from dvcview.run.stage_process import end_with_dvc
from dvcview.server.mlflow_server import serve
from dvcview.server.postgres import run_database
from dvcview.tracking.sync import sync
from dvcview.tracking.which import which_run
from dvcview.verify.report import verify

PHOTOS = Path("data/photos")


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
        usage="dlvc run [--profile PROFILE] [STAGE] [--section.key VALUE ...]",
        epilog="With a STAGE only that and what it needs; with values it is `dvc exp run -S ...`.",
        allow_abbrev=False,
    )
    run.add_argument("--profile", help="values from profiles/<PROFILE>.yaml")
    commands.add_parser("verify", help="check that no file is damaged and every result is right")
    report = commands.add_parser("report", help="write the report with links to MLflow's runs")
    report.add_argument("--mlflow", default="http://127.0.0.1:5000", help="where MLflow's page is")
    commands.add_parser("sync", help="bring MLflow to the state of dvc.lock")
    which = commands.add_parser("which", help="print the MLflow run that a file comes from")
    which.add_argument("file", type=Path)
    features = commands.add_parser("features", help="compute a part of the features")
    features.add_argument("--shard", required=True, metavar="i/N", help="0/N to N-1/N")
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
        # Not a positional argument of argparse, which would take a parameter's value for it.
        stage = rest.pop(0) if rest and not rest[0].startswith("-") else None
        values |= parse_overrides(rest)
        failed = run_pipeline(stage, values)
        if failed:
            raise SystemExit(failed)
        return
    if rest:
        raise UserError(
            f"{short(' '.join(rest))} is not understood; see dlvc {arguments.command} --help"
        )
    _run_other(arguments)


def _run_other(arguments: argparse.Namespace) -> None:
    """A command that has only its own arguments."""
    match arguments.command:
        case "verify":
            if not verify(Path.cwd()):
                raise SystemExit(1)
        case "report":
            print(link_report(Path.cwd(), arguments.mlflow.rstrip("/")))
        case "sync":
            print(sync(Path.cwd()))
        case "which":
            print(which_run(Path.cwd(), arguments.file))
        case "features":
            from dlvc.features.shards import (
                make_shard,  # Numba takes a second, which the others can spare
            )

            end_with_dvc()  # where a stage has started it
            print(make_shard(PHOTOS, read_params().features, arguments.shard))
        case "profile":
            print(*as_overrides(read_profile(arguments.name)))
        case "database":
            raise SystemExit(run_database(Path.cwd(), arguments.action))
        case "server":
            serve(Path.cwd(), arguments.host, arguments.port)


if __name__ == "__main__":
    main()
