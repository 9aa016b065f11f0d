"""Take README's screenshots of MLflow's page and of the report. Needs chromium.

Run as `python -m tools.picture_ui` in the project's folder, after `make run`.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from mlflow import MlflowClient

from dvcview.tracking.saved_view import view_link
from tests.browser import Browser
from tests.pipeline.mlflow_server import served

STORE = Path("mlflow.db").resolve()
PICTURES = Path("docs/ui")
REPORT = Path("report/index.html").resolve()
CURVES = "() => document.querySelectorAll('.js-plotly-plot .scatterlayer .trace').length >= 18"
DRAWN = "() => [...document.images].some(i => i.complete && i.naturalWidth > 200)"
# Hides the toolbar above the curves, and the paths of this machine above the picture.
TIDY = """
document.head.insertAdjacentHTML('beforeend', '<style>.modebar{display:none}</style>');
for (const e of document.querySelectorAll('body *'))
    if (e.children.length === 0 && e.textContent.includes('file:///')) e.textContent = '';
"""


def main() -> None:
    """Show the charts of the update rules, LeNet's kernels, and the top of the report."""
    client = MlflowClient(f"sqlite:///{STORE}")
    rules = client.get_experiment_by_name("Lecture 24 update rules").experiment_id
    lecture = client.get_experiment_by_name("Lecture 29 LeNet").experiment_id
    version = client.get_model_version_by_alias("lenet", "current")
    kernels = f"#/experiments/{lecture}/runs/{version.run_id}/artifacts/conv1.png"
    with tempfile.TemporaryDirectory() as folder, served(STORE, Path(folder)) as server:
        take(f"{server.address}/{view_link(rules)}", CURVES, 1400, 1500, "update_rules.png")
        page = f"{server.address}/{kernels}?workflowType=machine_learning"
        take(page, DRAWN, 1400, 640, "lenet_kernels.png")
    with Browser() as browser:
        browser.open(f"file://{REPORT}", 1100, 900)
        browser.wait_for("() => document.readyState === 'complete'")
        browser.screenshot(PICTURES / "report.png")


def take(address: str, ready: str, width: int, height: int, name: str) -> None:
    """Take one screenshot, in a browser with a new profile."""
    with Browser() as browser:
        browser.open(address, width, height)
        browser.wait_for(ready)
        browser.click("Close")  # the assistant opens by itself in a new profile
        time.sleep(3)  # the colours of the runs appear late
        browser.evaluate(TIDY)
        PICTURES.mkdir(parents=True, exist_ok=True)
        browser.screenshot(PICTURES / name)


if __name__ == "__main__":
    main()
