"""What MLflow's page shows of a lecture when it is opened: the saved view `comparison`.

Left to itself the page shows no parameter and no metric in its table, and a chart for each metric
in the order of the alphabet. A view is JSON in a tag of the experiment, in the form that the page
itself writes (MLflow 3.17), and part of an address: nobody has to click it together.
"""

from __future__ import annotations

import json
from typing import Any

from dlvc.figures.palette import BLUE, GREEN, ORANGE, PURPLE

VIEW = "comparison"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
COLUMNS = ("metrics.`test_accuracy`", "metrics.`train_loss`", "metrics.`updates`", "tags.`data`")
# MLflow's own colours come from run ids, and can give two runs the same.
COLOURS = (BLUE, ORANGE, GREEN, PURPLE)


def view_link(experiment: str) -> str:
    """The address, within MLflow's page, of the charts of an experiment."""
    return (
        f"#/experiments/{experiment}/runs?viewStateShareKey={VIEW}&compareRunsMode=CHART"
        "&workflowType=machine_learning"
    )


def comparison(lecture_loss: str) -> str:
    """The view: curves over epochs, over updates, and the lecture's figures beside ours.

    `lecture_loss` is the metric that is on the scale of the lecture's printed loss.
    """
    sections = {
        "Over epochs": [_line("test_accuracy"), _line("train_loss")],
        "Over updates": [
            _line("by_update/test_accuracy", logarithmic=True),
            _line("by_update/train_loss", logarithmic=True),
        ],
        "Beside the lecture's (dashed)": [
            _line("test_accuracy", "lecture/test_accuracy"),
            _line(lecture_loss, f"lecture/{lecture_loss}"),
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
