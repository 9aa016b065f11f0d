"""The page: one self-contained HTML file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from latex2mathml.converter import convert
from markupsafe import Markup, escape

from dlvc.report.charts import Charts
from dlvc.report.evidence import Evidence
from dlvc.report.lectures import Lecture
from dlvc.report.verdict import HOLDS, IN_PART, REFUTED, UNTESTED, Verdict
from dvcview.files.artifacts import read_yaml

HERE = Path(__file__).parent
WORDS = (HOLDS, IN_PART, REFUTED, UNTESTED)
QUANTITIES = {
    "train_loss": "training loss",
    "train_loss_lecture_scale": "training loss, lecture's scale",
    "train_accuracy": "training accuracy",
    "test_accuracy": "test accuracy",
}


@dataclass(frozen=True)
class Row:
    """A printed figure beside ours."""

    stage: str
    quantity: str
    epoch: int
    printed: str
    ours: str
    seeds: int
    file: str


def build_page(
    evidence: Evidence, lectures: Sequence[Lecture], verdicts: Mapping[str, Verdict]
) -> str:
    """The HTML. The same outs give the same text."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["math"] = lambda latex: Markup(convert(latex, display="block"))  # noqa: S704 - our own
    environment.filters["code"] = lambda text: Markup(  # noqa: S704 - our own
        re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    )
    environment.filters["file"] = lambda name: f"../{name}"
    charts = Charts(evidence, lectures)
    counts = Counter(verdict.word for verdict in verdicts.values())
    told = read_yaml(HERE / "explanations.yaml")
    return environment.get_template("page.html.j2").render(
        lectures=[
            {
                "number": lecture.number,
                "told": told[lecture.number],
                "pictures": [
                    {"html": Markup(one.html), "caption": one.caption}  # noqa: S704 - our own
                    for one in charts.of(lecture)
                ],
                "rows": list(rows_of(evidence, lecture)),
                "claims": lecture.claims,
                "settings": settings_of(evidence, lecture),
            }
            for lecture in lectures
        ],
        verdicts=verdicts,
        counts=[(word, counts[word]) for word in WORDS],
        digits=evidence.images("digits"),
        photos=evidence.images("photos"),
        image_size=evidence.params["densenet.image_size"],
        computed=evidence.metrics("lenet")["computed"],
        costs=evidence.models.values(),
        times=evidence.times,
        printed_seconds={
            stage.rpartition("@")[2]: seconds
            for lecture in lectures
            for stage, seconds in lecture.seconds.items()
        },
    )


def rows_of(evidence: Evidence, lecture: Lecture) -> Iterator[Row]:
    """Every figure that a lecture prints and that has an epoch here."""
    for stage, quantities in lecture.printed.items():
        curves = evidence.curves(stage)
        for quantity, by_epoch in quantities.items():
            for epoch, printed in by_epoch.items():
                if epoch <= curves.epochs:
                    values = curves.at(quantity, epoch)
                    write = as_percent if "accuracy" in quantity else as_loss
                    found = write(values.mean())
                    if len(values) > 1:
                        found += f" ({write(values.min())} to {write(values.max())})"
                    yield Row(
                        lecture.names[stage], QUANTITIES[quantity], epoch, write(printed), found,
                        len(values), curves.file,
                    )  # fmt: skip


def as_percent(value: float) -> str:
    """An accuracy.

    >>> as_percent(0.9274)
    '92.7 %'
    """
    return f"{100 * value:.1f} %"


def as_loss(value: float) -> str:
    """A loss, to four digits.

    >>> as_loss(0.00141397), as_loss(2.27)
    ('0.001414', '2.270')
    """
    return f"{value:#.4g}"


def settings_of(evidence: Evidence, lecture: Lecture) -> dict[str, Any]:
    """The parameters of a lecture's stages, with their names in params.yaml."""
    sections = tuple(
        f"{stage.replace('@', '.') if stage.startswith('claims') else stage.partition('@')[0]}."
        for stage in lecture.names
    )
    return {key: value for key, value in evidence.params.items() if key.startswith(sections)}
