"""Create .venv with exactly the packages of requirements.lock. Runs before anything is installed.

This file uses only the standard library and the syntax of Python 3.6, so that an older Python than
the required one prints an error message.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OLDEST, NEWEST = (3, 11, 4), (3, 14)
DISK_GB = 8  # the environment takes 6.6 GB on Linux, most of it torch's CUDA libraries
ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"


def stop(message: str) -> None:
    """Print one line about what is missing, and exit."""
    sys.exit(f"error: {message}")


def check() -> None:
    """Check everything that can be checked before the first byte is written."""
    if os.name != "posix":
        stop("this needs Linux or macOS; on Windows, use WSL")
    if not shutil.which("git"):
        stop("git is not found, DVC needs it; install it with your system's package manager")
    free = shutil.disk_usage(str(ROOT)).free / 1e9
    if free < DISK_GB:
        stop(f"{free:.1f} GB are free on this disk, the environment needs {DISK_GB} GB")


def supported(version: tuple) -> bool:
    """Whether the packages of requirements.lock have wheels for this version of Python."""
    return version >= OLDEST and version[:2] <= NEWEST


def find_python(bootstrap: Path) -> str:
    """This Python if it is supported, else one on the PATH, else one that uv has or fetches.

    ``bootstrap`` is an empty folder for a temporary environment with uv.
    """
    own = os.path.realpath(sys.executable)  # not the one of a .venv that is incomplete
    if supported(sys.version_info[:3]) and probe(own):
        return own
    found, oldest, newest = (
        ".".join(map(str, version)) for version in (sys.version_info[:3], OLDEST, NEWEST)
    )
    if supported(sys.version_info[:3]):
        reason = f"{own} cannot create environments (on Debian and Ubuntu, install python3-venv)"
    else:
        reason = f"this is Python {found}, needed is {oldest} to {newest}"
    print(f"set-up: {reason}", flush=True)
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        path = shutil.which(f"python3.{minor}")
        if path and probe(path):
            print(f"set-up: using {path}", flush=True)
            return path
    print("set-up: the PATH has no other Python that can be used; asking uv for one", flush=True)
    hint = "you can also install Python 3.12 yourself and call: make PYTHON=python3.12"
    uv = shutil.which("uv")
    if not uv:
        install_uv(sys.executable, bootstrap, hint)
        uv = str(bootstrap / "bin" / "uv")
    wanted = ".".join(map(str, NEWEST))
    call(uv, "python", "install", wanted, hint=hint)
    found_by_uv = ("python", "find", "--python-preference", "only-managed", wanted)
    path = call(uv, *found_by_uv, hint=hint).strip()
    print(f"set-up: using {path}", flush=True)
    return path


def probe(python: str) -> bool:
    """Whether this program is a supported Python that can create environments."""
    code = "import ensurepip, sys, venv; print(*sys.version_info[:3])"
    done = subprocess.run(
        (python, "-c", code), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    return done.returncode == 0 and supported(tuple(map(int, done.stdout.split())))


def install_uv(python: str, venv: Path, hint: str = "") -> None:
    """Create an environment and install the locked uv into it."""
    call(python, "-m", "venv", str(venv), hint=hint)
    with tempfile.TemporaryDirectory() as folder:
        uv = Path(folder) / "uv.lock"
        uv.write_text(locked("uv"), encoding="utf-8")
        program = str(venv / "bin" / "python")
        pip_install = (program, "-m", "pip", "install", "--quiet")
        call(*pip_install, "--require-hashes", "-r", str(uv), hint=hint)


def locked(package: str) -> str:
    """The lines of requirements.lock for one package, with its hashes."""
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(package + "=="))
    end = start
    while lines[end].endswith("\\"):
        end += 1
    return "\n".join(lines[start : end + 1]) + "\n"


def call(*command: str, hint: str = "") -> str:
    """Run a command; returns its output, which is shown if it fails, followed by the hint."""
    done = subprocess.run(
        command, cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        sys.stderr.write(done.stdout.decode(errors="replace"))
        stop(
            f"set-up failed at `{' '.join(command[:4])} ...`; the lines above say why"
            + (f"; {hint}" if hint else "")
        )
    return done.stdout.decode(errors="replace")


def main() -> None:
    """Create the environment, and mark it as ready when it is complete."""
    check()
    began = time.time()
    with tempfile.TemporaryDirectory() as folder:
        interpreter = find_python(Path(folder))
    print("set-up: creating .venv (once; 1 to 3 minutes, 6.6 GB)", flush=True)
    shutil.rmtree(str(VENV), ignore_errors=True)  # without .ready, so it is incomplete
    install_uv(interpreter, VENV)
    programs = VENV / "bin"
    python = str(programs / "python")
    install = (str(programs / "uv"), "pip", "install", "--quiet", "--python", python)
    # Compile bytecode now. If the environment forbids Python to write it, as in many containers,
    # every process would compile torch and MLflow again, which takes 2 to 4 seconds.
    call(*install, "--compile-bytecode", "--require-hashes", "-r", str(LOCK))
    call(*install, "--no-deps", "--no-build-isolation", "-e", str(ROOT))
    call(python, str(ROOT / "tools" / "plots_page.py"))  # otherwise `dvc plots` needs a network
    call(python, str(ROOT / "tools" / "compile_numba.py"))
    (VENV / ".ready").touch()
    print(f"set-up: done in {time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
