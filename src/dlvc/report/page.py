"""The report as one self-contained HTML file: no JavaScript, and it works offline."""

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

from dlvc.evidence.lectures import Lecture
from dlvc.evidence.outs import Evidence
from dlvc.report.verdict import HOLDS, IN_PART, REFUTED, UNTESTED, Verdict
from dvcview.files.yaml_files import read_yaml

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
    """A printed figure and our result, as a row of the table."""

    stage: str
    quantity: str
    epoch: int
    printed: str
    ours: str
    seeds: int
    file: str


def build_page(
    evidence: Evidence,
    lectures: Sequence[Lecture],
    verdicts: Mapping[str, Verdict],
    charts: Mapping[str, Sequence[Mapping[str, str]]],
) -> str:
    """The HTML of the page. The same outs always give the same HTML.

    `charts` has the HTML and the caption of each chart, by the number of the lecture.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["math"] = lambda latex: Markup(convert(latex, display="block"))  # noqa: S704 - trusted
    environment.filters["code"] = code_elements
    environment.filters["file"] = lambda name: f"../{name}"
    counts = Counter(verdict.word for verdict in verdicts.values())
    explanations = read_yaml(HERE / "explanations.yaml")
    return environment.get_template("page.html.j2").render(
        lectures=[
            {
                "number": lecture.number,
                "explanation": explanations[lecture.number],
                "pictures": [
                    {"html": Markup(chart["html"]), "caption": chart["caption"]}  # noqa: S704 - trusted
                    for chart in charts[lecture.number]
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


def code_elements(text: str) -> Markup:
    """Escape a text, and make every part between backticks a `<code>` element.

    >>> code_elements("1 < 2: `make run`")
    Markup('1 &lt; 2: <code>make run</code>')
    """
    # With a `Markup` as its argument, Python 3.11's `re.sub` would escape the new elements.
    escaped = str(escape(text))
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped))  # noqa: S704 - trusted


def rows_of(evidence: Evidence, lecture: Lecture) -> Iterator[Row]:
    """One row per figure that a lecture prints, for the epochs that this run has."""
    for stage, quantities in lecture.printed.items():
        curves = evidence.curves(stage)
        for quantity, by_epoch in quantities.items():
            for epoch, printed in by_epoch.items():
                if epoch <= curves.epochs:
                    values = curves.at(quantity, epoch)
                    to_text = as_percent if "accuracy" in quantity else as_loss
                    found = to_text(values.mean())
                    if len(values) > 1:
                        found += f" ({to_text(values.min())} to {to_text(values.max())})"
                    yield Row(
                        lecture.names[stage], QUANTITIES[quantity], epoch, to_text(printed), found,
                        len(values), curves.file,
                    )  # fmt: skip


def as_percent(value: float) -> str:
    """An accuracy as text, in percent.

    >>> as_percent(0.9274)
    '92.7 %'
    """
    return f"{100 * value:.1f} %"


def as_loss(value: float) -> str:
    """A loss as text, with four significant digits.

    >>> as_loss(0.00141397), as_loss(2.27)
    ('0.001414', '2.270')
    """
    return f"{value:#.4g}"


def settings_of(evidence: Evidence, lecture: Lecture) -> dict[str, Any]:
    """The parameters of a lecture's stages by flat name."""
    sections = tuple(
        f"{stage.replace('@', '.') if stage.startswith('claims') else stage.partition('@')[0]}."
        for stage in lecture.names
    )
    return {key: value for key, value in evidence.params.items() if key.startswith(sections)}
