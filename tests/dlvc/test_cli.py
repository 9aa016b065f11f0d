"""A mistake of the person at the keyboard is one line and exit code 2; a mistake of ours is not."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

import stage
from dlvc import cli
from dvcview.console import run_command
from dvcview.errors import UserError
from dvcview.run.stage_process import limit_openmp_spinning
from tests.imports import ROOT


def mistaken() -> None:
    raise UserError("params.yaml: lenet.epochs is 0; allowed: greater than or equal to 1")


def test_a_user_s_mistake_is_one_line_on_stderr_and_exit_code_2(capsys):
    with pytest.raises(SystemExit) as caught:
        run_command(mistaken)
    assert caught.value.code == 2
    assert capsys.readouterr() == (
        "",
        "error: params.yaml: lenet.epochs is 0; allowed: greater than or equal to 1\n",
    )


def test_a_command_without_a_mistake_says_what_it_says_and_ends():
    done = run(
        "import sys\n"
        "from dvcview.console import run_command\n"
        "run_command(lambda: (print('out'), print('err', file=sys.stderr)))\n"
        "print('never')"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "err\n")


def test_a_full_disk_under_a_library_is_one_line(capsys):
    def main() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(SystemExit) as caught:
        run_command(main)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: a cache: cannot be written (No space left on device); free disk")
    assert err.count("\n") == 1


@pytest.mark.parametrize("error", [ValueError("ours"), OSError(errno.EIO, "x"), SystemExit(3)])
def test_everything_else_goes_on_as_it_was(error, capsys):
    def main() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        run_command(main)
    assert caught.value is error
    assert capsys.readouterr() == ("", "")


def test_ctrl_c_is_one_word_and_the_shells_exit_code(capsys):
    def main() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as caught:
        run_command(main)
    assert caught.value.code == 130
    assert capsys.readouterr() == ("", "interrupted\n")


def test_sigterm_unwinds_so_that_whoever_has_something_to_end_can_end_it():
    script = (
        "import os, signal\n"
        "from dvcview.console import run_command\n"
        "def main():\n"
        "    try: os.kill(os.getpid(), signal.SIGTERM)\n"
        "    finally: print('ended')\n"
        "run_command(main)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (143, "ended\n", "")


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_stage_in_a_folder_without_params_yaml_says_so_in_one_line(tmp_path):
    command = [sys.executable, str(ROOT / "src/stage.py"), "params"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "error: params.yaml: cannot be read (No such file or directory)\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "the stage is nothing; allowed: claims, costs, densenet, digits, "),
        (["linet"], "the stage is linet; allowed: claims, costs, densenet, digits, "),
        (["__main__"], "the stage is __main__; allowed: "),
        (["params", "all"], "the variant of params is all; allowed: none"),
        (["update_rules"], "the variant of update_rules is nothing; allowed: per_epoch, per_batch"),
        (["update_rules", "per_year"], "the variant of update_rules is per_year; allowed: per_ep"),
        (["update_rules", "per_epoch", "per_batch"], "the variant of update_rules is per_epoch p"),
        (["update_rules", ""], "the variant of update_rules is nothing; allowed: per_epoch, per_"),
    ],
)
def test_a_stage_or_variant_that_is_none_is_one_line_with_those_there_are(words, said, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["src/stage.py", *words])
    monkeypatch.setattr(os, "environ", os.environ.copy())
    with pytest.raises(UserError) as caught:
        stage.main()
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "set_to"),
    [
        ({}, "2000"),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "active"}, None),
    ],
)
def test_openmp_spins_as_the_user_says_or_little(given, set_to, monkeypatch):
    monkeypatch.setattr(os, "environ", dict(given))
    limit_openmp_spinning()
    assert os.environ.get("GOMP_SPINCOUNT") == set_to


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("run --lenet.epochs many", "the values given: lenet.epochs is 'many'; allowed: integer"),
        ("run lenet --profile corse", "unknown profile 'corse'; allowed: course, default, l"),
        ("profile corse", "unknown profile 'corse'; allowed: course, default, laptop"),
        ("profile course --lenet.epochs", "'--lenet.epochs' is not understood; see dlvc profile"),
    ],
)
def test_the_command_line_says_in_one_line_what_is_wrong_and_changes_nothing(
    words, said, monkeypatch, capsys
):
    before = (ROOT / "params.yaml").read_bytes()
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["dlvc", *words.split()])
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("DVC was started"))
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {said}")
    assert err.count("\n") == 1
    assert (ROOT / "params.yaml").read_bytes() == before
