"""What `dlvc run` repairs and waits for before it calls DVC."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from ruamel.yaml import YAML

from dvcview.errors import UserError
from dvcview.project.dvc_processes import RWLOCK
from dvcview.project.lock_copies import is_complete, keep_copy, newest_copy
from dvcview.project.lockfile import LOCKFILE
from dvcview.run import repro as run
from dvcview.run.lockfile_repair import repair_lockfile
from dvcview.run.repro import exclusive_run
from dvcview.run.stage_inputs import StageInputs
from dvcview.run.stage_process import stage_lock
from tests.imports import ROOT

WHOLE = (ROOT / "dvc.lock").read_bytes()


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch) -> Path:
    """An empty folder that git knows."""
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)
    return tmp_path


def commit(name: str, content: bytes) -> None:
    Path(name).write_bytes(content)
    subprocess.run(["git", "add", name], check=True)
    somebody = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    subprocess.run(["git", *somebody, "commit", "--quiet", "-m", "x"], check=True)


def dvc_reads(text: bytes) -> bool:
    """Whether DVC itself takes it for a dvc.lock."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA

    try:
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(text))
    except Exception:
        return False
    return True


def test_a_lock_that_was_cut_off_anywhere_is_mended_or_such_that_dvc_reads_it():
    LOCKFILE.write_bytes(WHOLE)
    keep_copy(Path.cwd())
    begin = WHOLE.index(b"  perceptron:")
    places = [*range(0, len(WHOLE), 1997), *range(begin, begin + 2500, 13)]
    for length in places:
        assert dvc_reads(WHOLE[:length]) or not is_complete(WHOLE[:length]), length
    for length in (0, 500, begin + 100):
        LOCKFILE.write_bytes(WHOLE[:length])
        repair_lockfile()
        assert LOCKFILE.read_bytes() == WHOLE
    assert is_complete(WHOLE)
    assert dvc_reads(WHOLE)


@pytest.mark.parametrize("half", [b"3e11970235", b"1234", b"12ab", b""])
def test_half_an_md5_is_no_whole_lock_be_it_a_number_or_a_text(half):
    before = WHOLE[: WHOLE.rindex(b"md5: ") + len(b"md5: ")]
    assert not is_complete(before + half)
    assert is_complete(before + b"a" * 32)


def test_a_whole_lock_is_left_as_it_is(capsys):
    LOCKFILE.write_bytes(WHOLE)
    keep_copy(Path.cwd())
    LOCKFILE.write_bytes(WHOLE.replace(b"epochs: 20", b"epochs: 21"))
    before = LOCKFILE.read_bytes()
    repair_lockfile()
    assert LOCKFILE.read_bytes() == before
    assert capsys.readouterr().err == ""


def test_a_torn_lock_is_never_kept_as_a_whole_one():
    LOCKFILE.write_bytes(WHOLE)
    keep_copy(Path.cwd())
    LOCKFILE.write_bytes(WHOLE[:5000] + b"\n  - [")
    keep_copy(Path.cwd())
    assert newest_copy(Path.cwd()) == WHOLE


def test_without_a_kept_one_git_has_it_and_without_git_every_stage_is_new(capsys):
    LOCKFILE.write_bytes(WHOLE[:100])
    repair_lockfile()
    assert not LOCKFILE.exists()
    assert "removed, so every stage counts as new" in capsys.readouterr().err
    commit("dvc.lock", WHOLE)
    LOCKFILE.write_bytes(b"")
    repair_lockfile()
    assert LOCKFILE.read_bytes() == WHOLE
    assert "restored from git" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        b"fit:\n  cmd: python fit.py\n  outs:\n  - path: model\n    md5: 0\n",
        b"schema: '3.0'\nstages: [\n",
    ],
    ids=["an older format", "a newer format"],
)
def test_a_lock_that_dvc_did_not_write_is_left_as_it_is(text):
    LOCKFILE.write_bytes(text)
    repair_lockfile()
    assert LOCKFILE.read_bytes() == text


@pytest.mark.parametrize("before", [b"", WHOLE[:500] + b"\n"])
def test_a_conflict_of_a_merge_is_one_line_and_stays(before):
    text = before + b"<<<<<<< HEAD\n  a: 1\n=======\n  a: 2\n>>>>>>> other\n"
    LOCKFILE.write_bytes(text)
    with pytest.raises(UserError, match=r"dvc\.lock: it has the conflict markers of a merge; "):
        repair_lockfile()
    assert LOCKFILE.read_bytes() == text


@pytest.mark.parametrize(
    "entry",
    [
        "{cmd: make}",
        "{cmd: [make, make install]}",
        "{cmd: make, deps: [{path: 's3://b/x', etag: abc1, size: 3}], outs: []}",
    ],
)
def test_a_complete_entry_may_lack_deps_outs_and_md5s(entry):
    text = f"schema: '2.0'\nstages:\n  a: {entry}\n".encode()
    assert dvc_reads(text)
    assert is_complete(text)


def notes(*numbers: int) -> None:
    """As DVC writes down who reads and writes what."""
    here = str(Path.cwd())
    content = {
        "write": {f"{here}/data/digits": {"pid": numbers[0], "cmd": "/bin/dvc exp run"}},
        "read": {f"{here}/params.yaml": [{"pid": n, "cmd": "/bin/dvc exp run"} for n in numbers]},
    }
    RWLOCK.parent.mkdir(parents=True, exist_ok=True)
    RWLOCK.write_text(json.dumps(content))


def gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("what", ["half a file", "nobody is there", "somebody else has the number"])
def test_what_a_dead_dvc_has_noted_is_removed(what, monkeypatch, capsys):
    """DVC itself refuses to start for all three but the second."""
    monkeypatch.setattr(run, "POLL", 0.01)
    notes(gone() if what == "nobody is there" else os.getpid())
    os.utime(RWLOCK, (1, 1))  # long before this process began
    if what == "half a file":
        RWLOCK.write_text(RWLOCK.read_text()[:20])
    with exclusive_run():
        assert not RWLOCK.exists()
    assert capsys.readouterr().err == ""


def waits_until(ended: Callable[[], object]) -> None:
    """A run does not begin before that has been called."""
    entered = threading.Event()

    def enter() -> None:
        with exclusive_run():
            entered.set()

    thread = threading.Thread(target=enter)
    thread.start()
    assert not entered.wait(0.5)
    ended()
    assert entered.wait(60)
    thread.join()


def test_a_dvc_that_is_at_work_is_waited_for(monkeypatch, capsys):
    monkeypatch.setattr(run, "POLL", 0.01)
    dvc = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    notes(dvc.pid)
    waits_until(lambda: dvc.communicate(b"\n"))
    assert capsys.readouterr().err == (
        f"another DVC is active here: `dvc exp run` (process {dvc.pid}); waiting until it ends\n"
    )


def test_two_runs_take_turns_and_an_orphaned_stage_is_waited_for(capsys):
    events: list[str] = []
    Path(".dvcview/stages").mkdir(parents=True)
    orphan = FileLock(".dvcview/stages/lenet.lock")
    orphan.acquire()

    def one(name: str) -> None:
        with exclusive_run():
            events.append(f"{name} begins")
            time.sleep(0.2)
            events.append(f"{name} ends")

    threads = [threading.Thread(target=one, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
        time.sleep(0.2)
    assert events == []
    orphan.release()
    for thread in threads:
        thread.join()
    assert [event.split()[1] for event in events] == ["begins", "ends"] * 2
    said = capsys.readouterr().err
    assert said.count("another run is active in this folder; waiting") == 1
    assert said.count("the stage lenet of a killed run is about to stop") == 1


def test_the_place_is_dvcs_too_when_our_command_is_killed(tmp_path):
    script = (
        "import subprocess, sys\nfrom dvcview.run.repro import exclusive_run\n"
        "with exclusive_run() as lock_fd:\n"
        "    child = subprocess.Popen([sys.executable, '-c', 'input()'], pass_fds=[lock_fd])\n"
        "    print('in', flush=True)\n    child.wait()\n"
    )
    command = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE,
                               env={**os.environ, "PYTHONPATH": str(ROOT / "src")})  # fmt: skip
    assert command.stdout.readline() == b"in\n"
    command.kill()
    command.wait()
    waits_until(lambda: command.communicate(b"\n"))


def test_a_place_that_cannot_be_had_is_one_line():
    Path(".dvcview").write_text("in the way")
    for lock_fd in (exclusive_run(), stage_lock("lenet")):
        with (
            pytest.raises(UserError, match=r"\.dvcview.*: cannot be written \((File|Not)"),
            lock_fd,
        ):
            pass


def test_of_a_stage_there_is_one_writer_and_the_next_waits(capsys):
    entered = threading.Event()

    def second() -> None:
        with stage_lock("lenet"):
            entered.set()

    with stage_lock("lenet"):
        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.5)
        with stage_lock("densenet"):
            pass
    thread.join()
    assert entered.is_set()
    assert capsys.readouterr().err == "lenet: another process runs this stage; waiting\n"


def test_the_place_of_a_process_that_was_killed_is_free():
    script = (
        "import time\nfrom dvcview.run.stage_process import stage_lock\n"
        "with stage_lock('lenet'):\n    print('in', flush=True)\n    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE,
                               env={**os.environ, "PYTHONPATH": str(ROOT / "src")})  # fmt: skip
    assert process.stdout.readline() == b"in\n"
    process.kill()
    process.communicate()
    with stage_lock("lenet"):
        pass


@pytest.fixture
def inputs(project) -> Path:
    """A project of one stage."""
    Path("params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    Path("data/digits").mkdir(parents=True)
    Path("data/digits/images.npy").write_bytes(b"0" * 2_000_000)
    Path("code.py").write_text("1")
    Path("dvc.yaml").write_text(
        "stages:\n  update_rules:\n    matrix:\n      rule: [per_epoch, per_batch]\n"
        "    deps: [data/digits, code.py, '${data.digits.path}']\n"
        "    params: ['update_rules.seed', 'update_rules.${item.rule}']\n"
    )
    return project


def edit_params(old: str, new: str) -> None:
    file = Path("params.yaml")
    text = file.read_text()
    assert text.count(old) >= 1
    file.write_text(text.replace(old, new, 1))


CHANGES = {
    "update_rules.seed": lambda: edit_params("seed: 24 ", "seed: 25 "),
    "update_rules.per_epoch.epochs": lambda: edit_params(
        "learning_rate: 0.1\n    epochs: 10", "learning_rate: 0.1\n    epochs: 11"
    ),
    "code.py": lambda: Path("code.py").write_text("2"),
    "data/digits": lambda: Path("data/digits/images.npy").write_bytes(b"1" * 2_000_001),
    "data/digits ": lambda: Path("data/digits/more.npy").write_bytes(b"1"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_input_that_changes_while_a_stage_runs_is_named_and_refused(inputs, name):
    before = StageInputs.read("update_rules", "per_epoch")
    before.check_unchanged("update_rules", "per_epoch")
    CHANGES[name]()
    with pytest.raises(UserError) as caught:
        before.check_unchanged("update_rules", "per_epoch")
    assert str(caught.value).startswith(
        f"{name.strip()} has changed while update_rules was running"
    )


def test_what_a_stage_does_not_depend_on_may_change(inputs):
    before = StageInputs.read("update_rules", "per_epoch")
    edit_params("learning_rate: 0.1\n    epochs: 10\n    batch_size: 100  ",
                "learning_rate: 0.1\n    epochs: 11\n    batch_size: 100  ")  # fmt: skip
    edit_params("seed: 29 ", "seed: 30 ")
    Path("other.py").write_text("2")
    os.utime("code.py")
    before.check_unchanged("update_rules", "per_epoch")
