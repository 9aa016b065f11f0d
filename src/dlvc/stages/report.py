"""The ledger of all lectures: printed figures, claims and verdicts. Leaves report/."""

from __future__ import annotations

from pathlib import Path

from dlvc.params.reader import Params, flatten, read_params
from dlvc.report.evidence import Evidence
from dlvc.report.judge import judge
from dlvc.report.lectures import read_lectures
from dlvc.report.page import build_page
from dvcview.files.artifacts import read_json, write_bytes, write_json
from dvcview.tracking import stage_run

LECTURES = Path("lectures.yaml")
TIMES = Path("benchmarks/rules.json")
REPORT = Path("report")


def main() -> None:
    """Read, judge, write."""
    params = read_params()
    logged = params.select(*(name for name in Params.model_fields if name != "data"))
    with stage_run("report", REPORT, logged):
        lectures = read_lectures(LECTURES)
        evidence = Evidence(Path(), flatten(params.model_dump()), read_json(TIMES))
        verdicts = judge(evidence)
        write_json(REPORT / "verdicts.json", {name: one.word for name, one in verdicts.items()})
        page = build_page(evidence, lectures, verdicts)
        write_bytes(REPORT / "index.html", page.encode())
