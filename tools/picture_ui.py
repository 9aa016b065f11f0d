"""Make README's pictures of MLflow's page and of the report anew. Needs chromium.

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
# No bar of tools over the curves, no folder of this machine over the picture.
TIDY = """
document.head.insertAdjacentHTML('beforeend', '<style>.modebar{display:none}</style>');
for (const e of document.querySelectorAll('body *'))
    if (e.children.length === 0 && e.textContent.includes('file:///')) e.textContent = '';
"""


def main() -> None:
    """The three update rules in charts; LeNet's kernels among its artifacts; the report's top."""
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
    """One picture, in a browser that was never used before."""
    with Browser() as browser:
        browser.open(address, width, height)
        browser.wait_for(ready)
        browser.click("Close")  # the assistant, which opens by itself once
        time.sleep(3)  # the colours of the runs come late
        browser.evaluate(TIDY)
        PICTURES.mkdir(parents=True, exist_ok=True)
        browser.screenshot(PICTURES / name)


if __name__ == "__main__":
    main()
