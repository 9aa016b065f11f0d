"""`make repeat`: a stage of a published run, repeated in a clone at its commit."""

from __future__ import annotations

import shutil

import pytest

STAGE = "update_rules@per_epoch"
OUT = "results/update_rules/per_epoch/seeds.csv"
GONE = "data/pictures/gone.zip"


def publish(project):
    """Publish the project's run; returns the folder of the published run."""
    folder = project.root / "docs/laptop"
    for name in ("params.yaml", "dvc.lock"):
        shutil.copy2(project.root / name, folder / name)
    (folder / "commit.txt").write_text(project.call("git", "rev-parse", "HEAD").stdout)
    return folder


@pytest.fixture
def published(done):
    """The project, which has published its run and then changed."""
    params = publish(done) / "params.yaml"  # of a run with pictures that are not here
    photos = "source: bundled      # bundled, cifar10 or folder"
    assert photos in params.read_text()
    there = "path: data/pictures/photos"
    gone = params.read_text().replace(photos, "source: folder  #").replace(there, f"path: {GONE}")
    params.write_text(gone)
    done.set({"update_rules.seed": 99})
    done.call("git", "commit", "--quiet", "--all", "--message", "Another seed")
    return done


def repeat(project, stage=STAGE, *, ok=True):
    return project.call("python", "-m", "tools.repeat", stage, ok=ok)


@pytest.mark.full
def test_a_stage_is_repeated_to_the_byte_and_another_byte_is_found(published):
    (published.root / "data/pictures/mine.zip").touch()
    before = published.call("git", "status", "--short").stdout
    lines = repeat(published).stdout.splitlines()
    assert f"{STAGE}: {OUT}: the same bytes" in lines
    assert not any("other bytes" in line for line in lines)
    assert published.call("git", "status", "--short").stdout == before
    clone = published.root / ".dlvc/repeat"
    assert not (clone / "results/lenet/seeds.csv").exists()
    assert (clone / "data/pictures/mine.zip").exists()

    lock = published.root / "docs/laptop/dvc.lock"
    md5 = published.states()[STAGE].outs[OUT]
    lock.write_text(lock.read_text().replace(md5, "0" * 32))
    again = repeat(published, ok=False)
    assert again.returncode == 1
    assert f"{STAGE}: {OUT}: other bytes" in again.stdout


@pytest.mark.full
def test_a_stage_whose_pictures_are_missing_is_refused(published):
    line = refusal(published, "densenet")
    assert line.startswith(f"error: {GONE} is missing, and the stage needs these pictures; ")


def test_an_unknown_stage_is_one_line(scratch):
    publish(scratch)
    assert refusal(scratch, "lenett").startswith(
        "error: no stage has the name lenett; allowed: params, digits, photos, "
    )


@pytest.mark.parametrize("name", ["commit.txt", "dvc.lock", "params.yaml"])
def test_a_missing_file_of_the_published_run_is_one_line(scratch, name):
    (publish(scratch) / name).unlink()
    assert refusal(scratch).startswith(f"error: docs/laptop/{name} is missing; ")


def test_a_commit_that_a_shallow_clone_lacks_is_one_line(scratch):
    (publish(scratch) / "commit.txt").write_text(f"{'1' * 40}\n")
    assert refusal(scratch).startswith(f"error: this folder does not have commit {'1' * 40}; ")
    assert not (scratch.root / ".dlvc/repeat").exists()


def refusal(project, stage=STAGE):
    refused = repeat(project, stage, ok=False)
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    return line
