"""The published run on the lectures' own images: its verdicts and its accuracies.

`published.json` holds them. `python -m tools.laptop PROJECT` writes it from a run of the profile
`laptop`, whose files are in docs/laptop. The page shows them before the results of stand-in images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlvc.report.verdict import Part, Verdict
from dvcview.files.artifacts import read_json

PUBLISHED = Path(__file__).parent / "published.json"


@dataclass(frozen=True)
class Published:
    """The verdicts by claim, and our figures as text by stage, quantity and epoch."""

    verdicts: Mapping[str, Verdict]
    figures: Mapping[str, Mapping[str, Mapping[str, str]]]

    def figure(self, stage: str, quantity: str, epoch: int) -> str:
        """Our figure beside a printed one; empty if the published run has none."""
        return self.figures.get(stage, {}).get(quantity, {}).get(str(epoch), "")

    def to_json(self) -> dict[str, Any]:
        """The content of `published.json`."""
        verdicts = {
            claim: [
                {
                    "statement": part.statement,
                    "holds": None if part.holds is None else bool(part.holds),  # numpy's bool too
                    "found": part.found,
                    "is_undecided": part.is_undecided,
                }
                for part in verdict.parts
            ]
            for claim, verdict in self.verdicts.items()
        }
        return {"verdicts": verdicts, "figures": self.figures}


def read_published(path: Path = PUBLISHED) -> Published:
    """Read `published.json`."""
    content = read_json(path)
    return Published(
        {
            claim: Verdict(tuple(Part(**part) for part in parts), ())
            for claim, parts in content["verdicts"].items()
        },
        content["figures"],
    )
