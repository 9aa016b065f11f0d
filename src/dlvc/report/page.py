"""The report as one self-contained HTML file: no JavaScript, and it works offline.

The verdicts that count are those on the lectures' images. If this run does not have the images of a
lecture, the page shows the published run's verdicts, and this run's verdicts muted beside them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from dlvc.evidence.gpu import read_gpu_run
from dlvc.evidence.lectures import Lecture
from dlvc.evidence.outs import Evidence, mean_and_range
from dlvc.report.published import Published
from dlvc.report.verdict import HOLDS, IN_PART, REFUTED, UNDECIDED, UNTESTED, Verdict, join
from dvcview.files.yaml_files import read_yaml

HERE = Path(__file__).parent
WORDS = (HOLDS, IN_PART, REFUTED, UNDECIDED, UNTESTED)
QUANTITIES = {
    "train_loss": "training loss",
    "train_loss_lecture_scale": "training loss, lecture's scale",
    "train_accuracy": "training accuracy",
    "test_accuracy": "test accuracy",
}


@dataclass(frozen=True)
class Row:
    """A printed figure and our result, as a row of a table. `name` is the name of the training."""

    stage: str
    name: str
    metric: str
    epoch: int
    printed: str
    ours: str
    seeds: int
    file: str

    @property
    def quantity(self) -> str:
        """The metric in words."""
        return QUANTITIES[self.metric]


def build_page(
    evidence: Evidence,
    lectures: Sequence[Lecture],
    verdicts: Mapping[str, Verdict],
    charts: Mapping[str, Sequence[Mapping[str, Any]]],
    published: Published,
) -> str:
    """The HTML of the page. The same outs always give the same HTML.

    `charts` is figures/charts.json: the equations and pictures, by the number of the lecture.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["code"] = code_elements
    environment.filters["file"] = lambda name: f"../{name}"
    explanations = read_yaml(HERE / "explanations.yaml")
    images = {name: evidence.images(name) for name in ("digits", "photos")}
    own = {lecture.number: evidence.has_lectures_images(lecture.data) for lecture in lectures}
    claims = [claim for lecture in lectures for claim in lecture.claims]
    leading = {
        claim.id: (verdicts if own[lecture.number] else published.verdicts)[claim.id]
        for lecture in lectures
        for claim in lecture.claims
    }
    counts = Counter(verdict.word for verdict in leading.values())
    return environment.get_template("page.html.j2").render(
        lectures=[
            _section(
                evidence,
                lecture,
                explanations[lecture.number],
                charts[lecture.number],
                published,
                own=own[lecture.number],
            )
            for lecture in lectures
        ],
        verdicts=verdicts,
        published=published.verdicts,
        leading=leading,
        own_images=all(own.values()),
        borrowed=join([str(int(number)) for number, is_own in own.items() if not is_own] or [""]),
        counts=[(word, counts[word]) for word in WORDS],
        replaced_claims=sum(bool(claim.history) for claim in claims),
        replaced_tests=sum(len(claim.history) for claim in claims),
        images=images,
        image_size=evidence.params["densenet.image_size"],
        computed=evidence.metrics("lenet")["computed"],
        costs=evidence.models.values(),
        times=evidence.times,
        printed_times=[
            time_row(evidence, lecture, stage) for lecture in lectures for stage in lecture.seconds
        ],
        printed_seconds={
            stage.rpartition("@")[2]: median(seconds.values())
            for lecture in lectures
            for stage, seconds in lecture.seconds.items()
        },
    )


def _section(
    evidence: Evidence,
    lecture: Lecture,
    explanation: Mapping[str, Any],
    charts: Sequence[Mapping[str, Any]],
    published: Published,
    *,
    own: bool,
) -> dict[str, Any]:
    """What the template shows of a lecture; `own`: whether this run has the lecture's images."""
    pictures: dict[str, list[dict[str, Any]]] = {"equation": [], "exercise": []}
    for chart in charts:
        picture = {**chart, "html": Markup(chart["html"])}  # noqa: S704 - trusted
        pictures.setdefault(chart["part"], []).append(picture)
    rows = list(rows_of(evidence, lecture))
    last = {(row.stage, row.metric): row for row in rows if "accuracy" in row.metric}
    return {
        "number": lecture.number,
        "explanation": explanation,
        "has_own_images": own,
        "remark": remark_on(evidence, lecture),
        "equations": pictures.pop("equation"),
        "exercises": pictures.pop("exercise"),
        "pictures": [picture for part in pictures.values() for picture in part],
        "rows": rows,
        "last": [
            {**vars(row), "quantity": row.quantity,
             "published": published.figure(row.stage, row.metric, row.epoch)}
            for row in last.values()
        ],
        "claims": lecture.claims,
        "settings": settings_of(evidence, lecture),
    }  # fmt: skip


def remark_on(evidence: Evidence, lecture: Lecture) -> str:
    """What the text of lectures 24 and 40 cannot know: updates per epoch, and the run on a GPU."""
    if lecture.number == "24":
        counts = [
            f"{int(evidence.curves(stage).at('updates', 1)[0]):,}" for stage in lecture.printed
        ]
        return f"In this run, an epoch has {join(counts)} updates."
    if lecture.number != "40":
        return ""
    if evidence.has_cifar10 and evidence.params["densenet.image_size"] == 224:
        return ""
    printed = median(lecture.seconds["densenet"].values())
    gpu = read_gpu_run(evidence.root / "docs/gpu")
    if gpu is None:
        return "The training at 224 px on a GPU, as in the lecture, is prepared and not yet run."
    curves = gpu.lecture_densenet()
    if not curves.epochs:
        return f"The training at 224 px was not completed on {gpu.card}."
    first, last = (as_percent(curves.at("test_accuracy", epoch).mean()) for epoch in (1, -1))
    seconds = np.median(curves.stack("seconds"))
    text = (
        f"At 224 px in bfloat16, an epoch takes {seconds:.1f} s on {gpu.card} (the lecture prints "
        f"{printed:.0f} s), and the test accuracy goes from {first} after one epoch to {last} "
        f"after epoch {curves.epochs}."
    )
    float32 = gpu.curves("float32")
    if float32.epochs:
        text += f" In float32, an epoch takes {float32.at('seconds', 1).mean():.1f} s."
    return text


def time_row(evidence: Evidence, lecture: Lecture, stage: str) -> dict[str, str]:
    """A row of the table of times: what a lecture prints, and our time of an epoch if measured."""
    (_, first), *later = sorted(lecture.seconds[stage].items())
    low, high = (chosen(seconds for _, seconds in later) for chosen in (min, max))
    total = lecture.total_seconds.get(stage)
    return {
        "lecture": str(int(lecture.number)),
        "name": lecture.names[stage],
        "first": f"{first} s",
        "later": f"{low} s" if low == high else f"{low} to {high} s",
        "total": "–" if total is None else f"{total} s",
        "ours": _measured_time(evidence, stage),
    }


def _measured_time(evidence: Evidence, stage: str) -> str:
    measured = evidence.times["ours"].get(stage.removeprefix("update_rules@"))
    if measured:
        return f"{measured['seconds']} s"
    gpu = read_gpu_run(evidence.root / "docs/gpu") if stage == "densenet" else None
    curves = gpu.lecture_densenet() if gpu else None
    if gpu is None or curves is None or not curves.epochs:
        return "not measured"
    return f"{np.median(curves.stack('seconds')):.1f} s on {gpu.card}"


def code_elements(text: str) -> Markup:
    """Escape a text, and make every part between backticks a `<code>` element.

    >>> code_elements("1 < 2: `make run`")
    Markup('1 &lt; 2: <code>make run</code>')
    """
    # With a `Markup` as its argument, Python 3.11's `re.sub` would escape the new elements.
    escaped = str(escape(text))
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped))  # noqa: S704 - trusted


def rows_of(evidence: Evidence, lecture: Lecture) -> Iterator[Row]:
    """One row per figure that a lecture prints; `ours` is "–" if this run lacks the epoch."""
    for stage, quantities in lecture.printed.items():
        curves = evidence.curves(stage)
        for quantity, by_epoch in quantities.items():
            for epoch, printed in by_epoch.items():
                to_text = as_percent if "accuracy" in quantity else as_loss
                found, seeds = "–", 0
                if epoch <= curves.epochs:
                    values = curves.at(quantity, epoch)
                    found, seeds = mean_and_range(values, to_text), len(values)
                yield Row(
                    stage, lecture.names[stage], quantity, epoch, to_text(printed), found, seeds,
                    curves.file,
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
