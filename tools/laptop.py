"""Copy a run of the profile `laptop` to docs/laptop, and print the tables of the documentation.

Run as `python -m tools.laptop [PROJECT]` in this project's folder. PROJECT is the folder of a
project in which that profile has run. Its small files are copied, its commit is written to
commit.txt, and its verdicts are written to verdicts.md and, for the report, to published.json.
Without PROJECT, the tables are only printed. A test compares them with README.md and
docs/results.md.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from dlvc.evidence.gpu import read_gpu_run
from dlvc.evidence.lectures import printed_figures, read_lectures
from dlvc.evidence.outs import Evidence
from dlvc.report.judge import judge
from dlvc.report.page import WORDS, Row, rows_of
from dlvc.report.published import PUBLISHED, Published, read_published
from dlvc.report.verdict import Verdict
from dvcview.files.artifacts import read_json, write_json
from dvcview.files.yaml_files import read_yaml
from dvcview.project.git import head_commit
from dvcview.project.params import flatten
from tools.repeat import COMMIT

KEPT = Path("docs/laptop")
GPU = Path("docs/gpu")
LECTURES = Path("lectures.yaml")
WHAT = (
    "params.yaml", "dvc.yaml", "dvc.lock", "benchmarks/rules.json", "data/*/summary.json",
    "report/*.*", "results/**/*.json", "results/**/*.csv", "results/**/*.npy",
)  # fmt: skip
LARGEST = 1 << 20  # bytes, of any file but the page; dvc.lock has the MD5 of larger files
PAGE = "index.html"


def keep(project: Path) -> None:
    """Replace the files in docs/laptop by those of a project."""
    # First, because it fails if that profile has not run in the project.
    run = published(project)
    text = f"# The verdicts of the run kept here\n\n{verdicts(run)}\n"
    for old in KEPT.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    for pattern in WHAT:
        for file in sorted(project.glob(pattern)):
            keeps = file.name == PAGE or file.stat().st_size <= LARGEST
            if keeps and file.name != ".gitignore":
                place = KEPT / file.relative_to(project)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place)
    (KEPT / "verdicts.md").write_text(text, encoding="utf-8")
    (KEPT / COMMIT).write_text(f"{head_commit(project)}\n", encoding="utf-8")
    write_json(PUBLISHED, run.to_json())


def published(project: Path) -> Published:
    """The verdicts and the figures of a run; the run in docs/gpu decides some claims.

    Some of the files that they come from are too large to be copied.
    """
    evidence = evidence_in(project)
    figures: dict[str, dict[str, dict[str, str]]] = {}
    for lecture in read_lectures(LECTURES):
        for row in rows_of(evidence, lecture):
            if row.seeds:
                epochs = figures.setdefault(row.stage, {}).setdefault(row.metric, {})
                epochs[str(row.epoch)] = row.ours
    return Published(judge(evidence), figures)


def evidence_in(project: Path) -> Evidence:
    """The outs of a run. Its params.yaml is not checked, because it may have an older schema."""
    params = flatten(read_yaml(project / "params.yaml"))
    times = read_json(project / "benchmarks/rules.json")
    printed = printed_figures(read_lectures(LECTURES))
    return Evidence(project, params, times, printed, read_gpu_run(GPU))


def figures(project: Path) -> str:
    """The lectures' figures beside ours, as a table in Markdown."""
    evidence = evidence_in(project)
    rows = []
    for lecture in read_lectures(LECTURES):
        for row in ends(list(rows_of(evidence, lecture))):
            what = f"{row.name}: {row.quantity}, epoch {row.epoch}"
            number = str(int(lecture.number))
            rows.append((number, what, row.printed, row.ours, str(row.seeds)))
    return markdown(("lecture", "what", "in the lecture", "here", "seeds"), rows)


def accuracies(project: Path) -> str:
    """The last test accuracy of each training beside the lecture's, as a table in Markdown."""
    evidence = evidence_in(project)
    rows = []
    for lecture in read_lectures(LECTURES):
        last = {
            row.stage: row for row in rows_of(evidence, lecture) if row.metric == "test_accuracy"
        }
        number = str(int(lecture.number))
        for row in last.values():
            what = f"{row.name}, epoch {row.epoch}"
            rows.append((number, what, row.printed, row.ours, str(row.seeds)))
    return markdown(("lecture", "training", "in the lecture", "here", "seeds"), rows)


def counts(run: Published) -> str:
    """The claims of each lecture by verdict, as a table in Markdown.

    A star marks a claim of which some parts are not tested.
    """
    rows = []
    for lecture in read_lectures(LECTURES):
        claims = [
            ", ".join(
                claim.id + "\\*" * run.verdicts[claim.id].is_partly_untested
                for claim in lecture.claims
                if run.verdicts[claim.id].word == word
            )
            for word in WORDS
        ]
        rows.append((str(int(lecture.number)), *claims))
    return markdown(("lecture", *WORDS), [row for row in rows if any(row[1:])])


def verdicts(run: Published) -> str:
    """Every claim with its verdict and the numbers that decide, as a table in Markdown."""
    rows = []
    for lecture in read_lectures(LECTURES):
        for claim in lecture.claims:
            verdict = run.verdicts[claim.id]
            why = "<br>".join(
                f"{part.mark} {part.statement}: {part.found}" for part in verdict.parts
            )
            rows.append((claim.id, claim.says, in_words(verdict), why))
    return markdown(("claim", "what the lecture says", "verdict", "what decides"), rows)


def earlier_verdicts(run: Published) -> str:
    """The verdicts that replaced tests gave, and today's, as a table in Markdown."""
    rows = [
        (
            claim.id,
            ", then ".join(earlier.verdict for earlier in claim.history),
            in_words(run.verdicts[claim.id]),
        )
        for lecture in read_lectures(LECTURES)
        for claim in lecture.claims
        if claim.history
    ]
    return markdown(("claim", "by earlier tests", "today"), rows)


def in_words(verdict: Verdict) -> str:
    """The verdict, and whether some of its parts are not tested."""
    return verdict.word + (" (as far as tested)" if verdict.is_partly_untested else "")


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown.

    >>> print(markdown(("a", "b"), [("1", "2")]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def ends(rows: list[Row]) -> Iterator[Row]:
    """The rows of the first and the last epoch of each curve."""
    curves: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        curves.setdefault((row.stage, row.metric), []).append(row.epoch)
    for row in rows:
        epochs = curves[row.stage, row.metric]
        if row.epoch in (epochs[0], epochs[-1]):
            yield row


def main() -> None:
    """Copy the files of PROJECT if it is given, and print the tables."""
    if sys.argv[1:]:
        keep(Path(sys.argv[1]))
    run = read_published()
    print(accuracies(KEPT), figures(KEPT), counts(run), earlier_verdicts(run), sep="\n\n")


if __name__ == "__main__":
    main()
