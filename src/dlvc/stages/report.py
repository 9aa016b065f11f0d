"""The lectures' figures and claims, compared with the results on one page. Writes report/."""

from __future__ import annotations

from pathlib import Path

from dlvc.evidence.lectures import printed_figures, read_lectures
from dlvc.evidence.outs import TIMES, Evidence
from dlvc.params.reader import Params, read_params
from dlvc.report.judge import judge
from dlvc.report.page import build_page
from dlvc.report.published import read_published
from dvcview.files.artifacts import read_json, write_bytes, write_json
from dvcview.tracking import stage_run

LECTURES = Path("lectures.yaml")
CHARTS = Path("figures/charts.json")
REPORT = Path("report")


def main() -> None:
    """Read the results, judge the claims, write the page."""
    params = read_params()
    values = params.select(*(name for name in Params.model_fields if name != "data"))
    with stage_run("report", REPORT, values):
        lectures = read_lectures(LECTURES)
        evidence = Evidence(Path(), values, read_json(Path(TIMES)), printed_figures(lectures))
        verdicts = judge(evidence)
        words = {claim: verdict.word for claim, verdict in verdicts.items()}
        write_json(REPORT / "verdicts.json", words)
        page = build_page(evidence, lectures, verdicts, read_json(CHARTS), read_published())
        write_bytes(REPORT / "index.html", page.encode())
