"""Keep what a run of the profile `laptop` has found in docs/laptop, and print its table for README.

Run as `python -m tools.laptop [PROJECT]` in the project's folder: with the folder of a project in
which that profile has run, its small files are copied; without, the table is printed again.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from dlvc.ledger.evidence import Evidence
from dlvc.ledger.lectures import read_lectures
from dlvc.ledger.page import Row, rows_of

KEPT = Path("docs/laptop")
WHAT = (
    "params.yaml", "dvc.lock", "report/*.*", "results/**/*.json", "results/**/*.csv",
    "results/*/*.npy",
)  # fmt: skip
LARGEST = 1 << 20  # bytes; dvc.lock has the md5 of what is larger


def keep(project: Path) -> None:
    """Copy, in place of what was kept before."""
    for old in KEPT.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    for pattern in WHAT:
        for file in sorted(project.glob(pattern)):
            if file.stat().st_size <= LARGEST and file.name != ".gitignore":
                place = KEPT / file.relative_to(project)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place)


def table(project: Path) -> str:
    """The printed figures beside those found, in Markdown."""
    evidence = Evidence(project, {}, {})
    lines = ["| lecture | what | the lecture prints | here |", "|---|---|---|---|"]
    for lecture in read_lectures(Path("lectures.yaml")):
        number = int(lecture.title.split()[1])
        for row in ends(list(rows_of(evidence, lecture))):
            what = f"{row.stage}: {row.quantity}, epoch {row.epoch}"
            lines.append(f"| {number} | {what} | {row.printed} | {row.ours} |")
    return "\n".join(lines)


def ends(rows: list[Row]) -> Iterator[Row]:
    """Of each curve its first epoch and its last."""
    curves: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        curves.setdefault((row.stage, row.quantity), []).append(row.epoch)
    for row in rows:
        epochs = curves[row.stage, row.quantity]
        if row.epoch in (epochs[0], epochs[-1]):
            yield row


def main() -> None:
    """Keep, and print."""
    if sys.argv[1:]:
        keep(Path(sys.argv[1]))
    print(table(KEPT))


if __name__ == "__main__":
    main()
