"""A folder of pictures, and for each picture the files that it was drawn from."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.figure import Figure

from dvcview.files.artifacts import write_bytes, write_json
from dvcview.files.checksum import md5_of

DPI = 110


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure as PNG, without matplotlib's version in the metadata."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DPI, metadata={"Software": None})
    write_bytes(path, content.getvalue())


class Gallery:
    """Saves pictures, and writes sources.json: the MD5 of each file that a picture depends on.

    With it `dvcview` shows a picture in the MLflow run of the stage that wrote these files, and
    only as long as they are the same.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sources: dict[str, dict[str, str]] = {}

    def save(self, name: str, figure: Figure, *sources: Path) -> None:
        """Save a figure that was drawn from some files; `name` is its path in the folder."""
        write_figure(self._folder / name, figure)
        self._sources[(self._folder / name).as_posix()] = {
            source.as_posix(): md5_of(source) or "" for source in sources
        }

    def close(self) -> None:
        """Write sources.json."""
        write_json(self._folder / "sources.json", self._sources)
