"""What the dvc.yaml files of a project say about stages and outs, as DVC itself resolves them."""

from __future__ import annotations

import posixpath
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from dvcview.errors import UserError, first_line

PIPELINE = "dvc.yaml"


@dataclass(frozen=True)
class Definitions:
    """The stages, metrics and plots of a project; all paths are relative to its folder.

    Attributes:
        stages: the working folder of each stage, by dvc.yaml and by the stage's name.
        added: the MD5 of each out of `dvc add`, by .dvc file and by the out's path.
        metrics: the files that dvc.yaml declares as metrics.
        plots: the files and folders that dvc.yaml declares as plots, each with its column for x.
        uncached: the outs with `cache: false`. DVC has no copy of them; git should.
    """

    stages: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    added: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    metrics: frozenset[str] = frozenset()
    plots: Mapping[str, str | None] = field(default_factory=dict)
    uncached: frozenset[str] = frozenset()

    def plot_of(self, path: str) -> tuple[str, str | None] | None:
        """The declared plot that a file is or lies in, and its column for x.

        >>> Definitions(plots={"live": "step", "roc.csv": None}).plot_of("live/train/loss.tsv")
        ('live', 'step')
        """
        for candidate in (PurePosixPath(path), *PurePosixPath(path).parents):
            if str(candidate) in self.plots:
                return str(candidate), self.plots[str(candidate)]
        return None


def read_definitions(folder: Path, revision: str | None = None) -> Definitions:
    """Read every dvc.yaml of a project, in its folder or in a commit.

    Raises:
        UserError: DVC cannot read them.
    """
    from dvc.exceptions import DvcException

    tries = 4
    while True:
        try:
            return _read(folder, revision)
        except DvcException as error:
            tries -= 1
            if not tries:
                raise UserError(f"DVC cannot read this project: {first_line(error)}") from None
            time.sleep(0.2)  # another process may be writing dvc.lock


def _read(folder: Path, revision: str | None) -> Definitions:
    from dvc.repo import Repo

    with Repo(str(folder)) as repo:
        for found in repo.brancher(revs=[revision] if revision else None):
            if revision is None or found != "workspace":  # DVC adds the workspace
                return _definitions(repo)
    raise UserError(f"there is no commit {revision}")


def _definitions(repo: Any) -> Definitions:
    stages: dict[str, dict[str, str]] = {}
    added: dict[str, dict[str, str]] = {}
    metrics: set[str] = set()
    plots: dict[str, str | None] = {}
    uncached: set[str] = set()
    for stage in repo.index.stages:
        file = _relative(repo, stage.path)
        if not getattr(stage, "name", None):  # a .dvc file of `dvc add` or `dvc import`
            outs = [out for out in stage.outs if out.hash_info.name == "md5"]
            added[file] = {_relative(repo, out.fs_path): out.hash_info.value for out in outs}
            continue
        stages.setdefault(file, {})[stage.name] = _relative(repo, stage.wdir)
        for out in stage.outs:
            if out.protocol != "local":
                continue
            if not out.use_cache:
                uncached.add(_relative(repo, out.fs_path))
            if out.metric:
                metrics.add(_relative(repo, out.fs_path))
            if out.plot:
                declared = out.plot if isinstance(out.plot, dict) else {}
                plots[_relative(repo, out.fs_path)] = _column(declared.get("x"))
    # The lists at the top level of each dvc.yaml, also of one without stages, such as DVCLive's.
    # DVC keeps them in these two attributes (DVC 3.67, `Index.from_file`).
    for file, paths in repo.index._metrics.items():
        here = posixpath.dirname(_relative(repo, file))
        metrics |= {posixpath.normpath(posixpath.join(here, path)) for path in paths}
    for file, declared in repo.index._plots.items():
        here = posixpath.dirname(_relative(repo, file))
        for path, x in _top_level_plots(declared):
            plot = posixpath.normpath(posixpath.join(here, path))
            plots[plot] = x or plots.get(plot)
    return Definitions(stages, added, frozenset(metrics), plots, frozenset(uncached))


def _relative(repo: Any, path: str) -> str:
    """A path relative to the project, on disk or in a commit; absolute if it is outside."""
    root = PurePosixPath(Path(repo.root_dir).as_posix())
    found = PurePosixPath(Path(path).as_posix())
    return str(found.relative_to(root) if found.is_relative_to(root) else found)


def _top_level_plots(declared: list[Any]) -> Iterator[tuple[str, str | None]]:
    """The files of the top-level `plots:` of a dvc.yaml, each with its column for x.

    >>> list(_top_level_plots(["a.csv", {"b.csv": {"x": "step"}}, {"both": {"x": {"c.csv": "n"},
    ...     "y": {"c.csv": "loss"}}}]))
    [('a.csv', None), ('b.csv', 'step'), ('c.csv', 'n')]
    """
    for entry in declared:
        if isinstance(entry, str):
            yield entry, None
            continue
        for name, properties in entry.items():
            x, y = (properties or {}).get("x"), (properties or {}).get("y")
            for path in y if isinstance(y, dict) else [name]:
                yield path, _column(x.get(path) if isinstance(x, dict) else x)


def _column(x: object) -> str | None:
    return x if isinstance(x, str) else None
