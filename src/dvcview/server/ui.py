"""MLflow's page for this machine alone, set up to show trainings.

MLflow keeps the settings of its page in the browser: whether it shows language models or trainings,
whether its assistant is open, and the columns, order and charts of each experiment. A new browser
shows language models and a table without metrics, and an address can change that for one page only.
So this server adds a script to MLflow's page that sets these once. A user's later changes stay.
"""

from __future__ import annotations

import html
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from dvcview.errors import UserError, redacted
from dvcview.project.root import make_state_folder
from dvcview.server.mlflow_server import LOOPBACK, check_address, server_environment
from dvcview.tracking.address import sqlite_file, tracking_uri
from dvcview.tracking.connection import import_mlflow, store_lock
from dvcview.tracking.relocate import relocate_artifacts
from dvcview.tracking.saved_view import VIEW_TAG

# The page's own keys (MLflow 3.17), in `localStorage`.
PAGE_SETTINGS = {
    "mlflow.workflowType_v1": json.dumps("machine_learning"),
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": json.dumps(True),
    "mlflow.home.getting-started.collapsed_v1": json.dumps(True),
    "mlflow.telemetry.info.alert.dismissed_v1": json.dumps(True),  # the server has switched it off
}
ARTIFACTS = "mlflow-artifacts:/"  # where the server itself stores those of new experiments
EXPERIMENT = 'MLflowLocalStorage-1.1-ExperimentPage-["{}"]-ReactComponentState'
# A browser may have settings of another project that was on the same port, so each setting is set
# once for each of its values.
SCRIPT = """<script>
for (const [key, value] of Object.entries(JSON.parse(document.currentScript.dataset.settings))) {
    if (localStorage.getItem("dvcview " + key) === value) continue;
    localStorage.setItem("dvcview " + key, value);
    localStorage.setItem(key, value);
}
</script>"""


def serve_ui(root: Path, port: str) -> None:
    """Check the port, then serve MLflow on this machine alone until Ctrl-C.

    Raises:
        UserError: the port is not usable, or the store is a server already.
    """
    uri = tracking_uri(root)
    if uri.startswith("http"):
        raise UserError(f"the results are on a server already: {redacted(uri)}")
    check_address(LOOPBACK, port)
    file = sqlite_file(uri)
    if file and file.exists():
        with store_lock(root):
            relocate_artifacts(file)
    environment = server_environment()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(make_state_folder(root))  # MLflow writes into the working folder
    warnings.simplefilter("ignore")  # of MLflow and what it imports
    try:
        _serve(root, uri, int(port))
    except KeyboardInterrupt:
        print()


def _serve(root: Path, uri: str, port: int) -> None:
    import_mlflow()
    import uvicorn
    from mlflow.server import app as pages
    from mlflow.server import constants
    from mlflow.server.handlers import initialize_backend_stores

    # What `mlflow server` gives its worker.
    os.environ |= {
        constants.BACKEND_STORE_URI_ENV_VAR: uri,
        constants.ARTIFACT_ROOT_ENV_VAR: ARTIFACTS,
        constants.ARTIFACTS_DESTINATION_ENV_VAR: "./mlartifacts",
        constants.SERVE_ARTIFACTS_ENV_VAR: "true",
    }
    from mlflow.server.fastapi_app import app

    with store_lock(root):  # the first call creates the database
        initialize_backend_stores(uri, uri, ARTIFACTS)
    pages.view_functions["serve"] = lambda: _page(Path(str(pages.static_folder)), uri)

    class Server(uvicorn.Server):
        """Prints the address once the page can be opened."""

        async def startup(self, *arguments: Any, **settings: Any) -> None:
            await super().startup(*arguments, **settings)
            if self.started:
                print(f"MLflow: http://{LOOPBACK}:{port}/#/experiments (Ctrl-C stops it)")
                sys.stdout.flush()

    Server(uvicorn.Config(app, LOOPBACK, port, log_level="error", access_log=False)).run()


def _page(folder: Path, uri: str) -> str:
    """MLflow's page with our script before its own."""
    page = (folder / "index.html").read_text(encoding="utf-8")
    settings = html.escape(json.dumps(_settings(uri)))
    script = SCRIPT.replace("<script", f'<script data-settings="{settings}"', 1)
    return page.replace("<head>", f"<head>{script}", 1)


def _settings(uri: str) -> dict[str, str]:
    """The settings of the page: for trainings, and the saved view of each experiment."""
    from mlflow import MlflowClient

    views = {
        EXPERIMENT.format(found.experiment_id): json.loads(found.tags[VIEW_TAG])["state"]
        for found in MlflowClient(uri).search_experiments()
        if VIEW_TAG in found.tags
    }
    return PAGE_SETTINGS | views
