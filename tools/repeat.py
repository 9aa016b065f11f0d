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
from dvcview.project.git import git, git_bytes
from dvcview.project.lockfile import StageState, read_states

PUBLISHED = Path("docs/laptop")
CLONE = Path(".dlvc/repeat")
PICTURES = Path("data/pictures")
COMMIT, LOCK, PARAMS = "commit.txt", "dvc.lock", "params.yaml"  # in the published run's folder
SAME, DIFFERENT = "the same bytes", "other bytes"
Outs = Mapping[str, Mapping[str, str]]  # the MD5 of each out, by stage


def main() -> None:
    """Repeat the stages that the command line names, and print a line for each of their outs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stages", nargs="+", metavar="STAGE", help="such as lenet")
    parser.add_argument("--published", type=Path, default=PUBLISHED, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for name in (COMMIT, LOCK, PARAMS):
        if not (arguments.published / name).exists():
            raise UserError(
                f"{arguments.published / name} is missing; a published run has {COMMIT}, {LOCK} "
                f"and {PARAMS} (`git restore {PUBLISHED}` restores those of this repository)"
            )
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
    commit = (published / COMMIT).read_text(encoding="utf-8").strip()
    if git(Path(), "cat-file", "-t", commit).strip() != "commit":
        raise UserError(
            f"this folder does not have commit {commit}; it must be a full clone of the "
            "repository (`git fetch --unshallow` completes a shallow one)"
        )
    clone.mkdir(parents=True, exist_ok=True)
    fetch = ("fetch", "--quiet", str(Path.cwd()), "HEAD")
    for words in (("init", "--quiet"), fetch, ("checkout", "--quiet", "--force", commit)):
        if git_bytes(clone, *words) is None:
            raise UserError(f"cannot clone this repository to {clone}: `git {words[0]}` failed")
    shutil.copyfile(published / PARAMS, clone / PARAMS)
    for pictures in PICTURES.glob("*"):
        link = clone / pictures
        if not link.exists():
            link.symlink_to(pictures.resolve())


def without_pictures(clone: Path, stages: set[str]) -> None:
    """Use bundled pictures if those of the published run are missing and no stage needs them.

    The stage `params` checks that the pictures exist, and every stage comes after it.
    """
    with modify_yaml(clone / PARAMS) as params:
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
    return read_states((folder / LOCK).read_text(encoding="utf-8"))


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
