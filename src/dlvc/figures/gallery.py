"""Saves pictures, and records the files that each of them was drawn from."""

from __future__ import annotations

import io
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from dvcview.files.artifacts import write_bytes
from dvcview.files.checksum import md5_of
from dvcview.run.stage_process import exit_with_parent

DPI = 110
# The MD5 of each file that a picture was drawn from, by the paths of the picture and of the file.
# With it `dvcview` shows a picture in the MLflow run of the stage that wrote these files, as long
# as they are the same.
Sources = dict[str, dict[str, str]]


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure as PNG, without matplotlib's version in the metadata."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DPI, metadata={"Software": None})
    write_bytes(path, content.getvalue())


def save(path: Path, figure: Figure, *files: Path) -> Sources:
    """Write a figure that was drawn from some files."""
    write_figure(path, figure)
    return {path.as_posix(): {file.as_posix(): md5_of(file) or "" for file in files}}


def draw_all(drawings: Sequence[Callable[[], Sources]]) -> Sources:
    """Call the functions in several processes, one per core; returns the sources of all pictures.

    The functions must be importable, since they are sent to the processes.
    """
    sources: Sources = {}
    with ProcessPoolExecutor(initializer=_prepare_worker, mp_context=get_context("spawn")) as pool:
        for future in [pool.submit(draw) for draw in drawings]:
            sources |= future.result()
    return sources


def _prepare_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C stops the stage, which stops its workers
    exit_with_parent()
    mpl.rcdefaults()  # whatever the user's matplotlibrc says
    mpl.rcParams["text.parse_math"] = False  # "$" in the name of a class is no formula
