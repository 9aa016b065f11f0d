"""The equations and charts of the report, by lecture."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dlvc.evidence.lectures import Lecture
from dlvc.evidence.outs import Evidence
from dlvc.figures.charts import Charts
from dlvc.figures.equations import read_equations
from dlvc.figures.inline import Picture, style
from dlvc.figures.lectures_cnn import densenet, lenet
from dlvc.figures.lectures_features import features, perceptron
from dlvc.figures.lectures_mlp import optimizers, update_rules

LECTURES: dict[str, Callable[[Charts], list[Picture]]] = {
    "03": features,
    "05": perceptron,
    "24": update_rules,
    "25": optimizers,
    "29": lenet,
    "40": densenet,
}


def draw_charts(evidence: Evidence, lectures: Sequence[Lecture]) -> dict[str, list[dict[str, str]]]:
    """The HTML and the texts of each equation and picture, by the number of the lecture."""
    equations = read_equations()
    with style():
        return {
            lecture.number: [
                vars(picture)
                for picture in (
                    *equations[lecture.number],
                    *LECTURES[lecture.number](Charts(evidence, lecture)),
                )
            ]
            for lecture in lectures
        }
