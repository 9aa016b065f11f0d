"""`dlvc report`: a copy of the report with a link from every number to its MLflow run.

Run ids differ between stores, so the report itself, an out with the same bytes everywhere, cannot
contain them. The copy is written when the page is opened.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from dvcview.console import log
from dvcview.errors import UserError
from dvcview.files.artifacts import write_bytes
from dvcview.project.lockfile import Pipeline
from dvcview.tracking.address import tracking_uri, unreachable
from dvcview.tracking.connection import connect
from dvcview.tracking.which import run_of

REPORT = Path("report/index.html")
# One folder below the project, as the report is, so that relative links have the same targets.
LINKED = Path(".dlvc/report.html")
LINK_TO_FILE = re.compile(r'<a href="\.\./(?P<file>[^"]+)">[^<]*</a>')


def link_report(root: Path, address: str) -> Path:
    """Write the copy; returns its path.

    `address` is where MLflow's page is served. If the store cannot be reached, the copy has no
    links.
    """
    if not (root / REPORT).exists():
        raise UserError(f"{REPORT} is missing; `dlvc run report` writes it")
    page = (root / REPORT).read_text(encoding="utf-8")
    write_bytes(root / LINKED, insert_links(page, _runs(root, address)).encode())
    return root / LINKED


def insert_links(page: str, runs: Mapping[str, str]) -> str:
    """Insert a link to a run after each link to a file; `runs` has the addresses, by out.

    >>> insert_links('<a href="../results/lenet/seeds.csv">it</a>', {"results/lenet": "#/runs/1"})
    '<a href="../results/lenet/seeds.csv">it</a> (<a href="#/runs/1">run</a>)'
    """

    def with_run(link: re.Match[str]) -> str:
        file = Path(link["file"])
        for path in (file, *file.parents):
            if path.as_posix() in runs:
                return f'{link[0]} (<a href="{runs[path.as_posix()]}">run</a>)'
        return link[0]

    return LINK_TO_FILE.sub(with_run, page)


def _runs(root: Path, address: str) -> dict[str, str]:
    """The addresses of the runs of the states in dvc.lock, by out."""
    problem = unreachable(tracking_uri(root))
    if problem:
        log(f"the page has no links to MLflow's runs: {problem}")
        return {}
    client = connect(root)
    runs = {}
    for state in Pipeline(root, root, None).states().values():
        run = run_of(client, state)
        if run is not None:
            where = f"{address}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
            runs.update(dict.fromkeys(state.outs, where))
    return runs
