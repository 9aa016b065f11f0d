"""A contract: what the outs of a stage promise to whoever reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvcview.errors import first_line
from dvcview.project.lockfile import StageState


@dataclass(frozen=True)
class Outs:
    """The outs of one stage in a project's folder, and the parameters that they were made with."""

    root: Path
    state: StageState

    @property
    def params(self) -> Mapping[str, Any]:
        """The stage's parameters with flat names, as dvc.lock has them."""
        return self.state.params

    def name(self, file: str) -> str:
        """A file among the outs, by its path in the project."""
        outs, folder = self.state.outs, self.state.folder
        alone = len(outs) == 1 and not outs[str(folder)].endswith(".dir")
        return ((folder.parent if alone else folder) / file).as_posix()

    def __truediv__(self, file: str) -> Path:
        return self.root / self.name(file)


@dataclass(frozen=True)
class Contract:
    """A promise about a file; `beside` are the files that it is held to."""

    file: str  # among the stage's outs, as those of `beside`
    broken: Callable[[Outs], Iterator[str]]  # says how it is broken, if it is
    beside: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()  # outs of other stages, by their path in the project

    def files(self, outs: Outs) -> tuple[str, ...]:
        """All that has to be there to check it, by path in the project."""
        return (*map(outs.name, (self.file, *self.beside)), *self.inputs)

    def complaints(self, outs: Outs) -> list[str]:
        """How it is broken; nothing if it is kept."""
        try:
            return list(self.broken(outs))
        except Exception as error:  # what is not as promised can fail in any way when it is read
            return [f"not as {outs.state.stage} leaves it ({first_line(error)})"]
