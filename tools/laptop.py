"""Keep what a run of the profile `laptop` has found in docs/laptop, and print the tables about it.

Run as `python -m tools.laptop [PROJECT]` in the project's folder: with the folder of a project in
which that profile has run, its small files are copied, and its verdicts are written to verdicts.md;
without, the tables are printed again. They stand in README.md; a test compares them.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from dlvc.evidence.lectures import read_lectures
from dlvc.evidence.outs import Evidence
from dlvc.report.judge import judge
from dlvc.report.page import WORDS, Row, rows_of
from dvcview.files.artifacts import read_json, read_yaml
from dvcview.project.params import flatten

KEPT = Path("docs/laptop")
LECTURES = Path("lectures.yaml")
WHAT = (
    "params.yaml", "dvc.yaml", "dvc.lock", "benchmarks/rules.json", "data/*/summary.json",
    "report/*.*", "results/**/*.json", "results/**/*.csv", "results/**/*.npy",
)  # fmt: skip
LARGEST = 1 << 20  # bytes; dvc.lock has the md5 of what is larger


def keep(project: Path) -> None:
    """Copy, in place of what was kept before."""
    # First, because it fails where that profile has not run.
    text = f"# The verdicts of the run kept here\n\n{verdicts(project)}\n"
    for old in KEPT.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    for pattern in WHAT:
        for file in sorted(project.glob(pattern)):
            if file.stat().st_size <= LARGEST and file.name != ".gitignore":
                place = KEPT / file.relative_to(project)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place)
    (KEPT / "verdicts.md").write_text(text, encoding="utf-8")


def evidence_in(project: Path) -> Evidence:
    """What a run has left. Its params.yaml may be of an older schema, and is read as it is."""
    params = flatten(read_yaml(project / "params.yaml"))
    return Evidence(project, params, read_json(project / "benchmarks/rules.json"))


def figures(project: Path) -> str:
    """The printed figures beside those found, in Markdown."""
    evidence = evidence_in(project)
    rows = []
    for lecture in read_lectures(LECTURES):
        for row in ends(list(rows_of(evidence, lecture))):
            what = f"{row.stage}: {row.quantity}, epoch {row.epoch}"
            number = str(int(lecture.number))
            rows.append((number, what, row.printed, row.ours, str(row.seeds)))
    return markdown(("lecture", "what", "the lecture prints", "here", "seeds"), rows)


def counts(project: Path) -> str:
    """Which claims of each lecture have which verdict, in Markdown."""
    found = read_json(project / "report/verdicts.json")
    rows = []
    for lecture in read_lectures(LECTURES):
        claims = [
            ", ".join(claim.id for claim in lecture.claims if found[claim.id] == word)
            for word in WORDS
        ]
        rows.append((str(int(lecture.number)), *claims))
    return markdown(("lecture", *WORDS), [row for row in rows if any(row[1:])])


def verdicts(project: Path) -> str:
    """Every claim with its verdict and the numbers that decide, in Markdown. Some of the files that
    they are read from are too large to be kept."""
    found = judge(evidence_in(project))
    rows = []
    for lecture in read_lectures(LECTURES):
        for claim in lecture.claims:
            verdict = found[claim.id]
            why = "<br>".join(
                f"{part.mark} {part.statement}: {part.found}" for part in verdict.parts
            )
            word = verdict.word + (" (as far as tested)" if verdict.is_partly_untested else "")
            rows.append((claim.id, claim.says, word, why))
    return markdown(("claim", "what the lecture says", "verdict", "what decides"), rows)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table.

    >>> print(markdown(("a", "b"), [("1", "2")]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


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
    print(figures(KEPT), counts(KEPT), sep="\n\n")


if __name__ == "__main__":
    main()
