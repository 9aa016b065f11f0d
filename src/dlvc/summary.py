"""The test accuracies of a run beside those that the lectures print, as text for the terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dlvc.evidence.lectures import Lecture, read_lectures
from dlvc.evidence.outs import Evidence
from dlvc.report.page import Row, rows_of

HEAD = ("lecture", "training", "epoch", "the lecture prints", "test accuracy here")
STAND_INS = "Some images are stand-ins, so the accuracies differ from the lectures' (README.md)."


def summarize_run(root: Path, stage: str | None) -> str:
    """A table with the last epoch that the lecture and this run have, one row per training.

    With a `stage`, only its trainings; the text is empty if it has none.
    """
    evidence = Evidence(root, {}, {})
    rows = [
        (str(int(lecture.number)), row.stage, str(row.epoch), row.printed, row.ours)
        for lecture in read_lectures(root / "lectures.yaml")
        for row in _last_rows(evidence, lecture, stage)
    ]
    if not rows:
        return ""
    widths = [max(map(len, column)) for column in zip(HEAD, *rows, strict=True)]
    lines = [
        "  ".join(map(str.ljust, row, widths)).rstrip()  # with two spaces between the columns
        for row in (HEAD, *rows)
    ]
    if any(evidence.images(name)["stand_in_for"] for name in _images(root)):
        lines.append(STAND_INS)
    return "\n".join(lines)


def _last_rows(evidence: Evidence, lecture: Lecture, stage: str | None) -> list[Row]:
    printed = {
        name: {"test_accuracy": quantities["test_accuracy"]}
        for name, quantities in lecture.printed.items()
        if stage in (None, name, name.partition("@")[0])
    }
    return list(
        {row.stage: row for row in rows_of(evidence, replace(lecture, printed=printed))}.values()
    )


def _images(root: Path) -> list[str]:
    """The data sets that are on this machine."""
    return [name for name in ("digits", "photos") if (root / f"data/{name}/summary.json").exists()]
