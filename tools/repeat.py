"""Repeat stages of the published run, and say whether every out has the same bytes.

`make repeat STAGE=lenet` calls `python -m tools.repeat lenet`. It works in a clone of this
repository in .dlvc/repeat, at the commit of the published run and with its parameters, so this
checkout remains as it is. After an interruption, the same call goes on where it stopped. A stage
that is complete in the clone is not computed again. docs/laptop has the commit, params.yaml and
dvc.lock of the published run.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dvc.utils.serialize import modify_yaml
from ruamel.yaml.error import YAMLError

from dvcview.console import run_command
from dvcview.errors import UserError, first_line, one_line
from dvcview.files.artifacts import writable
from dvcview.files.yaml_files import parse_yaml
from dvcview.project.git import environment_of_git, git, in_repository
from dvcview.project.lockfile import StageState, read_states
from dvcview.run.repro import exclusive_run

PUBLISHED = Path("docs/laptop")
CLONE = Path(".dlvc/repeat")
PICTURES = Path("data/pictures")
COMMIT, LOCK, PARAMS = "commit.txt", "dvc.lock", "params.yaml"  # in the published run's folder
SAME, DIFFERENT = "the same bytes", "other bytes"
States = Mapping[str, StageState]  # by stage
Outs = Mapping[str, Mapping[str, str]]  # the MD5 of each out, by stage


def main() -> None:
    """Repeat the stages that the command line names, and print a line for each of their outs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="such as lenet")
    parser.add_argument("--published", type=Path, default=PUBLISHED, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    published = PublishedRun.read(arguments.published)
    stages = list(dict.fromkeys(arguments.stages))
    for stage in stages or [""]:
        if stage not in published.states:
            found = f"no stage has the name {stage}" if stage else "STAGE names no stage"
            raise UserError(f"{found}; allowed: {', '.join(published.states)}")
    bundled = needs_bundled_pictures(published, stages)
    with exclusive_run() as lock, writable(CLONE):
        check_out(published.commit, CLONE)
        link_pictures(CLONE)
        shutil.copyfile(published.folder / PARAMS, CLONE / PARAMS)
        if bundled:
            with modify_yaml(CLONE / PARAMS) as params:
                params["data"]["photos"].update(source="bundled", path=str(PICTURES / "photos"))
        command = [sys.executable, "-m", "dvc", "repro", *stages]
        environment = environment_in(CLONE)
        dvc = subprocess.run(command, cwd=CLONE, env=environment, pass_fds=[lock], check=False)
        if dvc.returncode:
            raise UserError(f"the stages could not be repeated; their messages are above ({CLONE})")
        found_outs = outs_of(read_lock(CLONE / LOCK))
    results = list(compare(outs_of(published.states), found_outs, stages))
    for stage, out, result in results:
        print(f"{stage}: {out}: {result}")
    raise SystemExit(any(result == DIFFERENT for *_, result in results))


@dataclass(frozen=True)
class PublishedRun:
    """What a repetition needs of the published run.

    `pictures` is the folder or archive of its pictures, relative to the project; None if it used
    bundled ones or CIFAR-10.
    """

    folder: Path
    commit: str
    states: States
    pictures: Path | None

    @classmethod
    def read(cls, folder: Path) -> PublishedRun:
        """Read and check the files in a folder, and check that this repository has the commit.

        Raises:
            UserError: a file is missing or damaged, or the commit is missing.
        """
        commit = read_text(folder / COMMIT).strip()
        if not re.fullmatch("[0-9a-f]{40}", commit):
            raise damaged(folder / COMMIT, "not a commit's 40 hexadecimal digits")
        params = parse_yaml(read_text(folder / PARAMS), str(folder / PARAMS))
        try:
            photos = params["data"]["photos"]
            pictures = Path(photos["path"]) if photos["source"] == "folder" else None
        except (KeyError, TypeError):
            raise damaged(folder / PARAMS, "no data.photos.source and data.photos.path") from None
        states = read_lock(folder / LOCK)
        if not in_repository(Path()):
            raise UserError("this folder is not a git repository; clone the repository instead")
        if git(Path(), "cat-file", "-t", commit).strip() != "commit":
            raise UserError(
                f"this repository does not have commit {commit}; if it is a shallow clone, "
                "`git fetch --unshallow` completes it"
            )
        return cls(folder, commit, states, pictures)


def read_text(file: Path) -> str:
    """The text of a file of the published run."""
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise damaged(file, "it is missing") from None
    except (OSError, UnicodeDecodeError) as error:
        raise damaged(file, first_line(error)) from None


def read_lock(file: Path) -> States:
    """The states in a dvc.lock, of which each has outs."""
    try:
        states = read_states(read_text(file))
    except (YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise damaged(file, f"not a dvc.lock: {first_line(error)}") from None
    if not states or not all(state.outs for state in states.values()):
        raise damaged(file, "it has no stages, or a stage without outs")
    return states


def damaged(file: Path, why: str) -> UserError:
    """The error for a file that a repetition cannot use."""
    return UserError(
        f"{file}: {why}; a published run has {COMMIT}, {LOCK} and {PARAMS} (`git restore "
        f"{file.parent}` restores those of this repository)"
    )


def needs_bundled_pictures(published: PublishedRun, stages: Sequence[str]) -> bool:
    """Whether the run's pictures are missing, so that bundled ones have to take their place.

    The stage `params` checks that the pictures exist, and every stage depends on it. Stages that
    do not depend on the pictures themselves have the same outs with bundled ones.

    Raises:
        UserError: a stage depends on the missing pictures.
    """
    if published.pictures is None or published.pictures.exists():
        return False
    if any("photos" in needed(published.states, stage) for stage in stages):
        raise UserError(
            f"{published.pictures} is missing, and the stage needs these pictures; "
            f"{PUBLISHED}/README.md says which they are"
        )
    return True


def needed(states: States, stage: str) -> set[str]:
    """The stage and every stage whose outs it depends on, directly or through others."""
    found = {stage}
    for dep in states[stage].deps:
        for other, state in states.items():
            if any(
                f"{dep}/".startswith(f"{out}/") or out.startswith(f"{dep}/") for out in state.outs
            ):
                found |= needed(states, other)
    return found


def check_out(commit: str, clone: Path) -> None:
    """Clone this repository, unless it has been cloned before, and check out a commit."""
    clone.mkdir(parents=True, exist_ok=True)
    if not (clone / ".git").exists():
        git_in(clone, "init", "--quiet")
    if git_in(clone, "rev-parse", "--quiet", "--verify", "HEAD", check=False).strip() != commit:
        git_in(clone, "fetch", "--quiet", str(Path.cwd()), commit)
        git_in(clone, "checkout", "--quiet", "--force", commit)


def git_in(clone: Path, *words: str, check: bool = True) -> str:
    """The output of git in the clone, and never in a repository around it.

    Raises:
        UserError: git has failed.
    """
    command = ["git", "--git-dir", ".git", "--work-tree", ".", "-c", f"core.hooksPath={os.devnull}"]
    done = subprocess.run(
        [*command, *words],
        cwd=clone, env=environment_of_git(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if check and done.returncode:
        raise UserError(
            f"git {words[0]} failed in {clone} ({one_line(done.stderr)}); delete this copy "
            "and call the same command again"
        )
    return done.stdout


def link_pictures(clone: Path) -> None:
    """Link the pictures in data/pictures that are not in git, as they are here now."""
    for pictures in PICTURES.glob("*"):
        link = clone / pictures
        if link.is_symlink():
            link.unlink()
        if not link.exists():
            link.symlink_to(pictures.resolve())


def environment_in(clone: Path) -> dict[str, str]:
    """The environment variables for DVC in the clone, which logs to an MLflow of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    mirror = environment.get("DLVC_MIRROR", "")
    if mirror and Path(mirror).is_dir():  # not an address
        environment["DLVC_MIRROR"] = str(Path(mirror).resolve())
    environment["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    )
    environment["PYTHONPATH"] = str((clone / "src").resolve())
    return environment


def outs_of(states: States) -> Outs:
    """The outs of all stages."""
    return {stage: state.outs for stage, state in states.items()}


def compare(published: Outs, found: Outs, stages: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Each out of the stages, and whether it has the published MD5.

    >>> list(compare({"lenet": {"a": "1", "b": "2"}}, {"lenet": {"a": "1"}}, ["lenet"]))
    [('lenet', 'a', 'the same bytes'), ('lenet', 'b', 'other bytes')]
    """
    for stage in stages:
        for out, md5 in published[stage].items():
            yield stage, out, SAME if found.get(stage, {}).get(out) == md5 else DIFFERENT


if __name__ == "__main__":
    run_command(main)
