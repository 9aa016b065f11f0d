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


@pytest.fixture
def scratch(scratch):
    """The project that tests share; it is left as it was."""
    params, folder = scratch.root / "params.yaml", scratch.root / "docs/laptop"
    before, kept = params.read_bytes(), set(folder.iterdir())
    yield scratch
    params.write_bytes(before)
    for file in {*folder.iterdir()} - kept:
        file.unlink()
    clone = scratch.root / ".dlvc/repeat"
    if clone.is_file():
        clone.unlink()
    shutil.rmtree(clone, ignore_errors=True)


def repeat(project, *stages, ok=True):
    return project.call("python", "-m", "tools.repeat", *stages, ok=ok)


@pytest.mark.full
def test_a_stage_is_repeated_to_the_byte_and_another_byte_is_found(published):
    (published.root / "data/pictures/mine.zip").touch()
    before = published.call("git", "status", "--short").stdout
    lines = repeat(published, STAGE).stdout.splitlines()
    assert f"{STAGE}: {OUT}: the same bytes" in lines
    assert not any("other bytes" in line for line in lines)
    assert published.call("git", "status", "--short").stdout == before
    clone = published.root / ".dlvc/repeat"
    assert not (clone / "results/lenet/seeds.csv").exists()
    assert (clone / "data/pictures/mine.zip").exists()

    lock = published.root / "docs/laptop/dvc.lock"
    md5 = published.states()[STAGE].outs[OUT]
    lock.write_text(lock.read_text().replace(md5, "0" * 32))
    again = repeat(published, STAGE, ok=False)
    assert again.returncode == 1
    assert f"{STAGE}: {OUT}: other bytes" in again.stdout


@pytest.mark.full
def test_a_stage_whose_pictures_are_missing_is_refused(published):
    line = refusal(published, "densenet")
    assert line.startswith(f"error: {GONE} is missing, and the stage needs these pictures; ")


def test_an_unknown_stage_is_one_line(scratch):
    publish(scratch)
    names = "allowed: params, digits, photos, "
    assert refusal(scratch, "lenett").startswith(f"error: no stage has the name lenett; {names}")
    assert refusal(scratch).startswith(f"error: STAGE names no stage; {names}")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("commit.txt", None, "it is missing"),
        ("dvc.lock", None, "it is missing"),
        ("params.yaml", None, "it is missing"),
        ("commit.txt", b"HEAD\n", "not a commit's 40 hexadecimal digits"),
        ("commit.txt", b"\xff", "'utf-8' codec can't decode byte 0xff"),
        ("dvc.lock", b"", "it has no stages"),
        ("dvc.lock", b"hello", "not a dvc.lock: "),
        ("dvc.lock", b"a: [b", "not a dvc.lock: "),
        ("dvc.lock", b"stages: {digits: {outs: []}}", "not a dvc.lock: "),
        ("dvc.lock", b"stages: {digits: {cmd: a}}", "it has no stages, or a stage without outs"),
        ("params.yaml", b"hello", "no data.photos.source"),
        ("params.yaml", b"data: {}", "no data.photos.source"),
    ],
)
def test_a_damaged_file_of_the_published_run_is_one_line(scratch, name, content, why):
    file = publish(scratch) / name
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    assert refusal(scratch, STAGE).startswith(f"error: docs/laptop/{name}: {why}")
    assert not (scratch.root / ".dlvc/repeat").exists()


def test_a_commit_that_a_shallow_clone_lacks_is_one_line(scratch):
    (publish(scratch) / "commit.txt").write_text(f"{'1' * 40}\n")
    line = refusal(scratch, STAGE)
    assert line.startswith(f"error: this repository does not have commit {'1' * 40}; ")
    assert not (scratch.root / ".dlvc/repeat").exists()


def test_a_damaged_clone_leaves_the_repository_around_it_as_it_is(scratch):
    publish(scratch)
    params = scratch.root / "params.yaml"
    changed = params.read_text() + "# mine\n"
    params.write_text(changed)
    scratch.call("git", "init", "--quiet", ".dlvc/repeat")
    (scratch.root / ".dlvc/repeat/.git/HEAD").write_bytes(b"")
    line = refusal(scratch, STAGE)
    assert line.startswith("error: git fetch failed in .dlvc/repeat (fatal: not a git repository")
    assert "delete this copy" in line
    assert params.read_text() == changed


def test_a_file_in_place_of_the_clone_is_one_line(scratch):
    publish(scratch)
    (scratch.root / ".dlvc").mkdir(exist_ok=True)
    (scratch.root / ".dlvc/repeat").touch()
    line = refusal(scratch, STAGE)
    assert line.startswith("error: .dlvc/repeat: cannot be written (File exists); ")


def refusal(project, *stages):
    refused = repeat(project, *stages, ok=False)
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    return line
