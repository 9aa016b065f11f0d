"""Contracts: what the outs of a stage guarantee to their readers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvcview.errors import first_line
from dvcview.project.lockfile import StageState
from dvcview.verify.check import Checked
from dvcview.verify.problem import Problem
from dvcview.verify.verify import Findings


@dataclass(frozen=True)
class Outs:
    """The outs of one stage in a project's folder."""

    root: Path
    state: StageState

    @property
    def params(self) -> Mapping[str, Any]:
        """The stage's parameters with flat names, as dvc.lock has them."""
        return self.state.params

    def name(self, file: str) -> str:
        """The path of an out in the project, by its path in the stage's folder."""
        outs, folder = self.state.outs, self.state.folder
        is_file = len(outs) == 1 and not outs[str(folder)].endswith(".dir")
        return ((folder.parent if is_file else folder) / file).as_posix()

    def __truediv__(self, file: str) -> Path:
        return self.root / self.name(file)


@dataclass(frozen=True)
class Contract:
    """A guarantee about one file.

    Attributes:
        file: the file, by its path in the stage's folder.
        validate: yields one message for each violation.
        references: files of the same stage that the file must agree with.
        inputs: outs of other stages that it must agree with, by their path in the project.
    """

    file: str
    validate: Callable[[Outs], Iterator[str]]
    references: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()

    def files(self, outs: Outs) -> tuple[str, ...]:
        """All files that the check reads, by their path in the project."""
        return (*map(outs.name, (self.file, *self.references)), *self.inputs)

    def violations(self, outs: Outs) -> list[str]:
        """A message for each violation; empty if the guarantee holds."""
        try:
            return list(self.validate(outs))
        except Exception as error:  # reading an unexpected content can raise anything
            return [f"not as {outs.state.stage} writes it ({first_line(error)})"]


Contracts = Mapping[str, tuple[Contract, ...]]  # by stage


def check_contracts(contracts: Contracts, root: Path, checked: Checked) -> Findings:
    """Check the contracts whose files all have the bytes that dvc.lock records."""
    ready = [
        (contract, outs)
        for stage, of_stage in contracts.items()
        if stage in checked.states
        for outs in [Outs(root, checked.states[stage])]
        for contract in of_stage
        if checked.intact.issuperset(contract.files(outs))
    ]
    problems = [
        Problem(outs.name(contract.file), violation, checked.repairs.remake(outs.state.stage))
        for contract, outs in ready
        for violation in contract.violations(outs)
    ]
    line = f"contracts: {len(ready)} checked (shapes, dtypes, ranges, and agreement between files)"
    return Findings([line], problems)
