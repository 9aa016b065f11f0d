"""`make repeat`: a stage of a published run, repeated in a clone at its commit."""

from __future__ import annotations

import shutil

import pytest

STAGE = "update_rules@per_epoch"
OUT = "results/update_rules/per_epoch/seeds.csv"
GONE = "data/pictures/gone.zip"


@pytest.fixture
def published(done):
    """The project, which has published its run and then changed."""
    folder = done.root / "docs/laptop"
    for name in ("params.yaml", "dvc.lock"):
        shutil.copy2(done.root / name, folder / name)
    params = folder / "params.yaml"  # of a run with pictures that are not here
    photos = "source: bundled      # bundled, cifar10 or folder"
    assert photos in params.read_text()
    there = "path: data/pictures/photos"
    gone = params.read_text().replace(photos, "source: folder  #").replace(there, f"path: {GONE}")
    params.write_text(gone)
    head = done.call("git", "rev-parse", "HEAD").stdout
    (folder / "commit.txt").write_text(head)
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
    refused = repeat(published, "densenet", ok=False)
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"error: {GONE} is missing, and the stage needs these pictures; ")


def test_an_unknown_stage_is_one_line(scratch):
    shutil.copy2(scratch.root / "dvc.lock", scratch.root / "docs/laptop/dvc.lock")
    unknown = repeat(scratch, "lenett", ok=False)
    assert unknown.returncode == 2
    (line,) = unknown.stderr.splitlines()
    assert line.startswith("error: no stage has the name lenett; allowed: params, digits, photos, ")


def test_a_run_of_several_commits_cannot_be_repeated(scratch):
    shutil.copy2(scratch.root / "dvc.lock", scratch.root / "docs/laptop/dvc.lock")
    refused = repeat(scratch, ok=False)
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert line.startswith("error: docs/laptop/commit.txt is missing: ")
