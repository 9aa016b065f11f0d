"""What is damaged is named, nothing else is, and the command that is named mends it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import psutil
import pytest

from dvcview.errors import UserError
from dvcview.tracking.event_log import EventLog
from dvcview.tracking.execution import begin_execution, this_execution
from dvcview.verify.check import check_bytes
from dvcview.verify.expected import expect
from dvcview.verify.workspace import absent_outs, check_workspace


def object_of(project, path):
    """The object in DVC's cache that an out is copied from."""
    checked = check_bytes(project.root)
    (name,) = [out.md5 for out in checked.expected.outs if out.path == path]
    return checked.manifest.object_path(name)


def object_in(project, path):
    """The same for a file in a folder."""
    checked = check_bytes(project.root)
    (name,) = [file.md5 for file in checked.expected.files if file.path == path]
    return checked.manifest.object_path(name)


def outcome_of(project, command):
    """The entry of DVC's run cache about a stage."""
    runs = (project.root / ".dvc/cache/runs").glob("*/*/*")
    (entry,) = [file for file in runs if command in file.read_text()]
    return str(entry.relative_to(project.root))


def problems(project):
    return {problem.file: problem for problem in check_bytes(project.root).problems}


def mend(project):
    """Run each command that is named, once."""
    for command in dict.fromkeys(problem.repair for problem in problems(project).values()):
        project.shell(command)


WORKSPACE = ["file.txt", "folder/below/c.txt", "metrics.json"]


def test_nothing_is_wrong_after_a_run(small):
    checked = check_bytes(small.root)
    assert checked.problems == ()
    assert checked.intact == {
        "file.txt", "metrics.json", "other.txt", "folder/a.txt", "folder/b.txt",
        "folder/below/c.txt",
    }  # fmt: skip
    assert len(checked.manifest.runs) == 2
    assert absent_outs(checked.expected, checked.manifest) == []


@pytest.mark.parametrize("keep_time", [False, True], ids=["new time", "time kept"])
def test_flipped_bits_in_the_workspace_are_found_and_mended(small, keep_time):
    before = {name: small.read(name) for name in WORKSPACE}
    for name in WORKSPACE:
        small.flip(name, keep_time=keep_time)
    found = problems(small)
    assert {name: problem.repair for name, problem in found.items()} == {
        "file.txt": "rm -f file.txt && dvc checkout file.txt",
        "folder/below/c.txt": "rm -f folder/below/c.txt && dvc checkout folder/below/c.txt",
        "metrics.json": "git checkout HEAD -- metrics.json",
    }
    mend(small)
    assert {name: small.read(name) for name in WORKSPACE} == before
    assert problems(small) == {}


def test_what_git_keeps_and_has_not_committed_comes_from_the_run_cache(small):
    small.shell("git rm --quiet --cached metrics.json && git commit --quiet --message without")
    before = small.read("metrics.json")
    small.flip("metrics.json")
    assert problems(small)["metrics.json"].repair.startswith("install -m 644 .dvc/cache/files/md5")
    mend(small)
    assert small.read("metrics.json") == before
    assert problems(small) == {}


def test_missing_files_are_found_and_mended(small):
    names = ("file.txt", "folder/b.txt")
    before = [small.read(name) for name in names]
    for name in names:
        (small.root / name).unlink()
    assert {name: problem.what for name, problem in problems(small).items()} == dict.fromkeys(
        names, "is missing"
    )
    mend(small)
    assert [small.read(name) for name in names] == before
    assert problems(small) == {}


def test_a_file_too_many_in_a_folder_is_found_and_deleted(small):
    (small.root / "folder/more stuff.txt").write_text("more")
    assert problems(small)["folder/more stuff.txt"].repair == "rm -f 'folder/more stuff.txt'"
    mend(small)
    assert problems(small) == {}


@pytest.mark.parametrize("keep_time", [False, True], ids=["new time", "time kept"])
@pytest.mark.parametrize("paths", [("other.txt", "folder/a.txt", "metrics.json"), ("folder",)])
def test_damaged_objects_are_found_and_mended_from_the_workspace(small, paths, keep_time):
    stored = [(object_in if "/" in path else object_of)(small, path) for path in paths]
    before = [(small.read(name), (small.root / name).stat().st_mode) for name in stored]
    lock = small.read("dvc.lock")
    for name in stored:
        small.flip(name, keep_time=keep_time)
    assert set(problems(small)) == set(stored)
    mend(small)
    assert [(small.read(name), (small.root / name).stat().st_mode) for name in stored] == before
    assert small.read("dvc.lock") == lock
    assert problems(small) == {}


def test_an_object_that_is_missing_of_an_out_that_is_here_is_put_back(small):
    stored = object_in(small, "folder/a.txt")
    shutil.rmtree((small.root / stored).parent)
    assert problems(small)[stored].repair == "dvc commit make"
    mend(small)
    assert small.read(stored) == b"a"
    assert problems(small) == {}


def test_what_is_damaged_in_both_places_is_made_again(small):
    stored = object_in(small, "folder/a.txt")
    small.flip("folder/a.txt")
    small.flip(stored)
    found = problems(small)
    assert set(found) == {"folder/a.txt", stored}
    again = f"rm -f folder/a.txt {stored} && dvc repro --force --single-item make"
    assert {problem.repair for problem in found.values()} == {again}
    mend(small)
    assert small.read("folder/a.txt") == b"a"
    assert problems(small) == {}


def test_what_two_outs_share_is_made_again_once(small):
    for name in ("file.txt", "other.txt", object_of(small, "file.txt")):
        small.flip(name)
    found = problems(small)
    assert "dvc repro --force --single-item make" in found["file.txt"].repair
    assert found["other.txt"].repair == "rm -f other.txt && dvc checkout other.txt"
    mend(small)
    assert small.read("file.txt") == small.read("other.txt") == b"file"
    assert problems(small) == {}


def test_a_folder_whose_listing_is_lost_is_made_again(small):
    small.flip("folder/a.txt")
    small.flip(object_of(small, "folder"))
    assert "folder" in problems(small)
    mend(small)
    assert small.read("folder/a.txt") == b"a"
    assert problems(small) == {}


def test_with_a_remote_it_is_pulled(small, tmp_path):
    small.shell(f"dvc remote add --default store {tmp_path / 'store'} && dvc push --quiet")
    (small.root / "make.py").unlink()  # it could not be made
    stored = object_in(small, "folder/a.txt")
    small.flip("folder/a.txt")
    small.flip(stored)
    assert "dvc pull make || dvc repro" in problems(small)[stored].repair
    mend(small)
    assert small.read("folder/a.txt") == b"a"
    assert problems(small) == {}


def test_a_damaged_object_of_a_former_state_is_deleted(small):
    old = object_of(small, "metrics.json")
    text = small.read("make.py").decode().replace('"loss": 1', '"loss": 2')
    (small.root / "make.py").write_text(text)
    small.shell("dvc repro --quiet")
    small.flip(old)
    assert problems(small)[old].repair == f"rm -f {old}"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"    wide: 3\n", b"    wide: 2\n"),
        (b"metrics.json", b"metrics.jsoo"),
        (b"md5: ", b"md5:\t"),
        (b"deps:\n-", b"deps:\n\r"),
        (b"  size: 4\n", b"  size: 5\n"),
        (b"  nfiles: 3\n", b"  nfiles: 2\n"),
    ],
    ids=["a value", "a name", "a space", "not YAML", "a size", "a number of files"],
)
def test_a_damaged_outcome_of_the_run_cache_is_found_and_mended(small, old, new):
    """Sizes and spaces are not in the hash that names the file."""
    entry = outcome_of(small, "make.py")
    before = small.read(entry)
    assert old in before
    (small.root / entry).write_bytes(before.replace(old, new, 1))
    assert set(problems(small)) == {entry}
    mend(small)
    assert small.read(entry) == before
    assert problems(small) == {}


def test_an_outcome_that_cannot_be_written_again_is_deleted(small):
    """What has changed since would be taken into dvc.lock with it."""
    entry = outcome_of(small, "make.py")
    small.flip(entry)
    (small.root / "params.yaml").write_text("wide: 4\n")
    lock = small.read("dvc.lock")
    small.shell(problems(small)[entry].repair, ok=False)
    assert small.read("dvc.lock") == lock
    assert problems(small) == {}


def test_links_instead_of_copies_are_checked_through(small):
    small.shell("dvc config cache.type symlink && dvc checkout --relink --quiet")
    assert (small.root / "file.txt").is_symlink()
    assert problems(small) == {}
    stored = object_of(small, "file.txt")
    small.flip(stored)
    assert set(problems(small)) == {stored, "file.txt", "other.txt"}
    mend(small)
    assert small.read("file.txt") == b"file"
    assert problems(small) == {}


def test_outs_that_this_machine_does_not_have_are_no_damage(small, tmp_path):
    small.shell(f"git clone --quiet . {tmp_path / 'clone'}")
    checked = check_bytes(tmp_path / "clone")
    assert checked.problems == ()
    absent = absent_outs(checked.expected, checked.manifest)
    assert [out.path for out in absent] == ["file.txt", "folder", "other.txt"]
    assert checked.intact == {"metrics.json"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no dvc.lock in .*dvc repro"),
        (b"stages:\n  make:\n   - a\n  b: [\n", "dvc.lock, line 5: not valid YAML"),
        (b"\xff", "dvc.lock: not UTF-8 text"),
        (b"- a\n", "dvc.lock: not in DVC's format"),
        (b"stages:\n  make:\n    outs: []\n", "dvc.lock: not in DVC's format .*cmd"),
    ],
)
def test_a_lock_that_cannot_be_read_is_the_callers_to_mend(small, content, said):
    lock = small.root / "dvc.lock"
    lock.unlink() if content is None else lock.write_bytes(content)
    with pytest.raises(UserError, match=said):
        check_bytes(small.root)


def hold(project, pid, path, mode="write"):
    """As DVC writes down what it is at work on."""
    holder = {"pid": pid, "cmd": "/somewhere/dvc repro"}
    held = {str(project.root / path): holder if mode == "write" else [holder]}
    (project.root / ".dvc/tmp/rwlock").write_text(json.dumps({mode: held}))


@pytest.mark.parametrize("mode", ["read", "write"])
def test_what_somebody_is_writing_is_not_called_damaged(small, mode):
    hold(small, psutil.Process().pid, "folder", mode)
    small.flip("folder/a.txt")
    small.flip("file.txt")
    checked = check_bytes(small.root)
    assert {problem.file for problem in checked.problems} == {"file.txt"}
    (work,) = checked.in_use
    assert work.path == "folder"
    assert work.who == f"`dvc repro` (process {psutil.Process().pid})"


def test_an_out_that_somebody_began_to_write_meanwhile_is_left_out(small):
    checked = check_bytes(small.root)
    idle = tuple(out for out in checked.expected.outs if out.path != "folder")
    expected = expect(idle, checked.manifest)
    assert list(check_workspace(expected, checked.manifest, checked.repairs)) == []


def test_a_stage_that_nobody_waits_for_is_at_work_until_it_says_that_it_ends(small):
    execution = replace(this_execution(), workspace=str(small.root))
    event_log = EventLog(begin_execution(execution, small.root), "make")
    event_log.write("begin", stage="make", process=execution.id)
    small.flip("file.txt")
    assert problems(small) == {}
    assert {work.path for work in check_bytes(small.root).in_use} == {
        "folder", "file.txt", "metrics.json",
    }  # fmt: skip
    event_log.write("end", status="FINISHED")
    event_log.close()
    assert set(problems(small)) == {"file.txt"}


def test_a_dvc_that_was_killed_is_at_work_no_more(small):
    hold(small, 2**22 + 1, "folder")  # a number that no process has
    small.flip("folder/a.txt")
    assert set(problems(small)) == {"folder/a.txt"}
