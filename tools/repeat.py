"""Repeat stages of the published run, and say whether every out has the same bytes.

`make repeat STAGE=lenet` calls `python -m tools.repeat lenet`. It works in a clone of this
repository in .dlvc/repeat, at the commit of the published run and with its parameters, so this
checkout remains as it is. An interrupted call goes on where it stopped. docs/laptop has the commit,
params.yaml and dvc.lock of the published run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dvc.utils.serialize import modify_yaml

from dvcview.console import run_command
from dvcview.errors import UserError
from dvcview.project.lockfile import StageState, read_states

PUBLISHED = Path("docs/laptop")
CLONE = Path(".dlvc/repeat")
PICTURES = Path("data/pictures")
COMMIT = "commit.txt"  # in the folder of the published run
SAME, DIFFERENT = "the same bytes", "other bytes"
Outs = Mapping[str, Mapping[str, str]]  # the MD5 of each out, by stage


def main() -> None:
    """Repeat the stages that the command line names, and print a line for each of their outs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stages", nargs="+", metavar="STAGE", help="such as lenet")
    parser.add_argument("--published", type=Path, default=PUBLISHED, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    states = states_in(arguments.published)
    for stage in arguments.stages:
        if stage not in states:
            raise UserError(f"no stage has the name {stage}; allowed: {', '.join(states)}")
    checkout(arguments.published, CLONE)
    without_pictures(CLONE, set().union(*(needed(states, stage) for stage in arguments.stages)))
    environment = {**os.environ, "PYTHONPATH": str((CLONE / "src").resolve())}
    command = [sys.executable, "-m", "dvc", "repro", *arguments.stages]
    status = subprocess.run(command, cwd=CLONE, env=environment, check=False).returncode
    if status:
        raise UserError(f"the stages could not be repeated; their messages are above ({CLONE})")
    results = list(compare(outs_of(states), outs_of(states_in(CLONE)), arguments.stages))
    for stage, out, result in results:
        print(f"{stage}: {out}: {result}")
    raise SystemExit(any(result == DIFFERENT for *_, result in results))


def checkout(published: Path, clone: Path) -> None:
    """Clone this repository, check out the commit of the published run, and take its parameters.

    Folders and archives of pictures in data/pictures are linked to those of this checkout.
    """
    file = published / COMMIT
    if not file.exists():
        raise UserError(f"{file} is missing: this run is not of one commit and cannot be repeated")
    commit = file.read_text(encoding="utf-8").strip()
    if not (clone / ".git").exists():
        clone.parent.mkdir(parents=True, exist_ok=True)
        git("clone", "--quiet", "--no-checkout", ".", str(clone))
    git("-C", str(clone), "checkout", "--quiet", "--force", commit)
    shutil.copyfile(published / "params.yaml", clone / "params.yaml")
    for pictures in PICTURES.glob("*"):
        link = clone / pictures
        if not link.exists():
            link.symlink_to(pictures.resolve())


def git(*arguments: str) -> None:
    """Call git, whose message becomes ours."""
    ended = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise UserError(f"git {' '.join(arguments)}: {ended.stderr.strip()}")


def without_pictures(clone: Path, stages: set[str]) -> None:
    """Use bundled pictures if those of the published run are missing and no stage needs them.

    The stage `params` checks that the pictures exist, and every stage comes after it.
    """
    with modify_yaml(clone / "params.yaml") as params:
        photos = params["data"]["photos"]
        if photos["source"] != "folder" or (clone / photos["path"]).exists():
            return
        if "photos" in stages:
            raise UserError(
                f"{photos['path']} is missing, and the stage needs these pictures; "
                f"{PUBLISHED}/README.md says which they are"
            )
        photos.update(source="bundled", path=str(PICTURES / "photos"))


def needed(states: Mapping[str, StageState], stage: str) -> set[str]:
    """The stage and every stage that has to run before it."""
    found = {stage}
    for dep in states[stage].deps:
        for other, state in states.items():
            if any(
                f"{dep}/".startswith(f"{out}/") or out.startswith(f"{dep}/") for out in state.outs
            ):
                found |= needed(states, other)
    return found


def states_in(folder: Path) -> Mapping[str, StageState]:
    """The states of all stages, from the dvc.lock in a folder."""
    return read_states((folder / "dvc.lock").read_text(encoding="utf-8"))


def outs_of(states: Mapping[str, StageState]) -> Outs:
    """The outs of all stages."""
    return {stage: state.outs for stage, state in states.items()}


def compare(published: Outs, found: Outs, stages: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Each out of the stages, and whether it has the published bytes.

    >>> list(compare({"lenet": {"a": "1", "b": "2"}}, {"lenet": {"a": "1"}}, ["lenet"]))
    [('lenet', 'a', 'the same bytes'), ('lenet', 'b', 'other bytes')]
    """
    for stage in stages:
        for out, md5 in published[stage].items():
            yield stage, out, SAME if found.get(stage, {}).get(out) == md5 else DIFFERENT


if __name__ == "__main__":
    run_command(main)
