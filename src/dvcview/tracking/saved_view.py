"""The saved view `charts`: what MLflow's page shows of an experiment when it is opened.

By default the page shows no parameter and no metric in its table, and one chart per metric in
alphabetical order. A saved view is JSON in a tag of the experiment, in the format that the page
itself writes (MLflow 3.17). A link with the name of the view opens it, so that users do not have to
configure charts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

VIEW = "charts"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
PUBLISHED = "published/"  # begins the names of published values
AXIS = "by_"  # begins the names of metrics that are logged over another column than x
MOST_COLUMNS = 2  # charts in a row; with three, a legend has no room for three runs


def view_link(experiment: str) -> str:
    """The address of an experiment's charts within MLflow's page."""
    return (
        f"#/experiments/{experiment}/runs?viewStateShareKey={VIEW}&compareRunsMode=CHART"
        "&workflowType=machine_learning"
    )


def saved_view(
    columns: Sequence[str], charts: Mapping[str, Sequence[str]], references: Sequence[str]
) -> str:
    """The view: the columns of the table, and sections of charts.

    Args:
        columns: the columns, such as `metrics.accuracy`.
        charts: the metrics of each section, by title.
        references: the metrics with published values; each gets a chart in a section of its own.
    """
    sections = {
        title: [_line(metric, logarithmic=metric.startswith(AXIS)) for metric in metrics]
        for title, metrics in charts.items()
    }
    if references:
        sections["Beside the published values (dashed)"] = [
            _line(metric, f"{PUBLISHED}{metric}") for metric in references
        ]
    lines_of_charts, headings = [], []
    for number, (title, lines) in enumerate(sections.items()):
        section = f"section-{number}"
        headings.append(
            {"uuid": section, "name": title, "display": True, "isReordered": True,
             "deleted": False, "isGenerated": False, "columns": min(len(lines), MOST_COLUMNS)}
        )  # fmt: skip
        lines_of_charts += [
            {**line, "uuid": f"{section}-{position}", "metricSectionId": section}
            for position, line in enumerate(lines)
        ]
    state = {
        "searchFilter": "", "orderByKey": "attributes.start_time", "orderByAsc": True,
        "startTime": "ALL", "lifecycleFilter": "Active", "datasetsFilter": [],
        "modelVersionFilter": "All Runs", "selectedColumns": [_column(name) for name in columns],
        "runsHiddenMode": "FIRST_10_RUNS", "runListHidden": False, "viewMaximized": False,
        "isAccordionReordered": True, "useGroupedValuesInCharts": True, "hideEmptyCharts": True,
        "groupBy": None, "groupsExpanded": {}, "compareRunSections": headings,
        "compareRunCharts": lines_of_charts,
        "globalLineChartConfig": {
            "xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": "",
        },
    }  # fmt: skip
    return json.dumps(
        {"name": "Charts", "createdAt": 1, "updatedAt": 1, "state": json.dumps(state)}
    )


def _column(name: str) -> str:
    """The page's name of a column.

    >>> _column("metrics.test loss")
    'metrics.`test loss`'
    """
    kind, _, key = name.partition(".")
    return f"{kind}.`{key}`"


def _line(metric: str, *more: str, logarithmic: bool = False) -> dict[str, Any]:
    return {
        "type": "LINE", "runsCountToCompare": 10, "deleted": False, "isGenerated": False,
        "displayName": metric, "metricKey": metric, "selectedMetricKeys": [metric, *more],
        "lineSmoothness": 0, "xAxisScaleType": "log" if logarithmic else "linear",
        "scaleType": "linear", "range": {}, "xAxisKey": "step", "selectedXAxisMetricKey": "",
        "yAxisKey": "metric", "yAxisExpressions": [], "ignoreOutliers": False,
        "useGlobalXaxisKey": False, "useGlobalLineSmoothing": True,
    }  # fmt: skip
