"""The command `dlvc`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from dlvc.params.overrides import as_overrides, check_overlay, parse_overrides, read_profile
from dlvc.params.reader import check_pictures, read_params
from dvcview.console import run_command
from dvcview.errors import UserError, truncate

PHOTOS = Path("data/photos")
VERBOSE = "DLVC_VERBOSE"  # read by dlvc.training.progress, which imports torch
NEXT = """\
make ui      opens the curves, pictures and models in MLflow
make report  opens the page with the lectures' figures beside ours, and a verdict on each claim"""


def main() -> None:
    """Entry point of `dlvc`."""
    run_command(_main)


def _main() -> None:
    parser = argparse.ArgumentParser(
        prog="dlvc", description="Five lectures as one reproducible pipeline.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser(
        "run",
        help="check params.yaml, then run what has changed",
        usage="dlvc run [--verbose] [--profile PROFILE] [STAGE] [--section.key VALUE ...]",
        epilog="With a STAGE only that stage and what it needs. Values become an experiment of "
        "DVC; outside of a git repository they are written into params.yaml.",
        allow_abbrev=False,
    )
    run.add_argument("--profile", help="values from profiles/<PROFILE>.yaml")
    run.add_argument("--verbose", action="store_true", help="print a line for every epoch")
    report = commands.add_parser("report", help="write the report with links to MLflow's runs")
    report.add_argument("--mlflow", default="http://127.0.0.1:5000", help="MLflow's address")
    features = commands.add_parser("features", help="compute one shard of the features")
    features.add_argument("--shard", required=True, metavar="i/N", help="0/N to N-1/N")
    profile = commands.add_parser("profile", help="print a profile as options of `dvc exp run`")
    profile.add_argument("name")
    arguments, rest = parser.parse_known_args()

    if not Path("dvc.yaml").exists():
        raise UserError(f"no dvc.yaml in {Path.cwd()}; run dlvc in the project's folder")
    if arguments.command == "run":
        if arguments.verbose:
            os.environ[VERBOSE] = "1"  # for the stages
        _run(arguments.profile, rest)
        return
    if rest:
        raise UserError(
            f"{truncate(' '.join(rest))} is not understood; see dlvc {arguments.command} --help"
        )
    _run_other(arguments)


def _run(profile: str | None, rest: list[str]) -> None:
    """`dlvc run`: check all parameters, run DVC, then print what came out."""
    from dlvc.summary import summarize_run
    from dlvc.training.checkpoint_paths import delete_complete
    from dvcview.run.repro import run_pipeline

    values = read_profile(profile) if profile else {}
    # argparse would read a parameter's value as a positional argument.
    stage = rest.pop(0) if rest and not rest[0].startswith("-") else None
    values |= parse_overrides(rest)
    check_pictures(check_overlay(values, "the values given") if values else read_params())
    exit_code = run_pipeline(stage, as_overrides(values))
    if exit_code:
        raise SystemExit(exit_code)
    delete_complete()
    summary = summarize_run(Path.cwd(), stage)
    if summary:
        print(f"\n{summary}\n\n{NEXT}")


def _run_other(arguments: argparse.Namespace) -> None:
    """Run a command other than `run`. Each imports what it needs, since some imports are slow."""
    match arguments.command:
        case "report":
            from dlvc.report.mlflow_links import link_report

            print(link_report(Path.cwd(), arguments.mlflow.rstrip("/")))
        case "features":
            from dlvc.features.shards import make_shard
            from dvcview.run.stage_process import exit_with_dvc

            exit_with_dvc()  # if a stage has started this process
            print(make_shard(PHOTOS, read_params().features, arguments.shard))
        case "profile":
            print(*as_overrides(read_profile(arguments.name)))


if __name__ == "__main__":
    main()
