"""The test accuracies of a run beside those that the lectures print, as text for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dlvc.evidence.lectures import read_lectures
from dlvc.evidence.outs import Evidence, mean_and_range

HEAD = ("lecture", "training", "epoch", "in the lecture", "test accuracy here")
OTHER_IMAGES = "The {} are not the lectures', so the accuracies differ from theirs (README.md)."


def summarize_run(root: Path, stage: str | None) -> str:
    """A table with one row per training, about the last epoch that this run and the lecture have.

    If they have no epoch in common, the row is about the last epoch of this run. With a `stage`,
    the table has only its trainings; the text is empty if it has none.
    """
    evidence = Evidence(root, {}, {}, {})
    found = list(_rows(evidence, stage))
    if not found:
        return ""
    rows = [row for _, row in found]
    widths = [max(map(len, column)) for column in zip(HEAD, *rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (HEAD, *rows)]
    data = {name for name, _ in found if (root / f"data/{name}/summary.json").exists()}
    other = sorted(name for name in data if not evidence.has_lectures_images(name))
    if other:
        lines.append(OTHER_IMAGES.format(" and ".join(other)))
    return "\n".join(lines)


def _rows(evidence: Evidence, stage: str | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The data set and the row of each training."""
    for lecture in read_lectures(evidence.root / "lectures.yaml"):
        for name, figures in lecture.printed.items():
            if stage not in (None, name, name.partition("@")[0]):
                continue
            printed, curves = figures["test_accuracy"], evidence.curves(name)
            epoch = max((e for e in printed if e <= curves.epochs), default=curves.epochs)
            row = (
                str(int(lecture.number)),
                lecture.names[name],
                str(epoch),
                f"{printed[epoch]:.1%}" if epoch in printed else "-",
                mean_and_range(curves.at("test_accuracy", epoch), "{:.1%}".format),
            )
            yield lecture.data, row
