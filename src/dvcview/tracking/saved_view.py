"""The saved view `comparison`: what MLflow's page shows of an experiment when it is opened.

By default the page shows no parameter and no metric in its table, and one chart per metric in
alphabetical order. A saved view is JSON in a tag of the experiment, in the format that the page
itself writes (MLflow 3.17). A link with the name of the view opens it, so that users do not have to
configure charts.
"""

from __future__ import annotations

import json
from typing import Any

VIEW = "comparison"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
COLUMNS = ("metrics.`test_accuracy`", "metrics.`train_loss`", "metrics.`updates`", "tags.`data`")
# MLflow derives colours from run ids and can give two runs the same. These four, of Okabe and Ito
# (2008), are distinct for colour-blind readers.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")


def view_link(experiment: str) -> str:
    """The address of an experiment's charts within MLflow's page."""
    return (
        f"#/experiments/{experiment}/runs?viewStateShareKey={VIEW}&compareRunsMode=CHART"
        "&workflowType=machine_learning"
    )


def comparison(loss: str) -> str:
    """The view: curves over epochs, over updates, and beside the published values.

    `loss` is the metric on the scale of the published loss.
    """
    sections = {
        "Over epochs": [_line("test_accuracy"), _line("train_loss")],
        "Over updates": [
            _line("by_update/test_accuracy", logarithmic=True),
            _line("by_update/train_loss", logarithmic=True),
        ],
        "Beside the lecture's (dashed)": [
            _line("test_accuracy", "lecture/test_accuracy"),
            _line(loss, f"lecture/{loss}"),
        ],
    }
    charts, headings = [], []
    for number, (title, lines) in enumerate(sections.items()):
        section = f"section-{number}"
        headings.append(
            {"uuid": section, "name": title, "display": True, "isReordered": True,
             "deleted": False, "isGenerated": False}
        )  # fmt: skip
        charts += [
            {**line, "uuid": f"{section}-{position}", "metricSectionId": section}
            for position, line in enumerate(lines)
        ]
    state = {
        "searchFilter": "", "orderByKey": "attributes.start_time", "orderByAsc": True,
        "startTime": "ALL", "lifecycleFilter": "Active", "datasetsFilter": [],
        "modelVersionFilter": "All Runs", "selectedColumns": list(COLUMNS),
        "runsHiddenMode": "FIRST_10_RUNS", "runListHidden": False, "viewMaximized": False,
        "isAccordionReordered": True, "useGroupedValuesInCharts": True, "hideEmptyCharts": True,
        "groupBy": None, "groupsExpanded": {}, "compareRunSections": headings,
        "compareRunCharts": charts,
        "globalLineChartConfig": {
            "xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": "",
        },
    }  # fmt: skip
    return json.dumps(
        {"name": "Comparison", "createdAt": 1, "updatedAt": 1, "state": json.dumps(state)}
    )


def _line(metric: str, *more: str, logarithmic: bool = False) -> dict[str, Any]:
    return {
        "type": "LINE", "runsCountToCompare": 10, "deleted": False, "isGenerated": False,
        "displayName": metric, "metricKey": metric, "selectedMetricKeys": [metric, *more],
        "lineSmoothness": 0, "xAxisScaleType": "log" if logarithmic else "linear",
        "scaleType": "linear", "range": {}, "xAxisKey": "step", "selectedXAxisMetricKey": "",
        "yAxisKey": "metric", "yAxisExpressions": [], "ignoreOutliers": False,
        "useGlobalXaxisKey": False, "useGlobalLineSmoothing": True,
    }  # fmt: skip
