"""What the charts of all lectures share: the styles of the page, ids, bands, and captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from dlvc.evidence.curves import Curves
from dlvc.evidence.lectures import Lecture
from dlvc.evidence.outs import Evidence
from dlvc.figures.bands import Band, draw_bands
from dlvc.figures.drawing import Drawing
from dlvc.figures.inline import Picture, as_svg

SCALED = "train_loss_lecture_scale"
DATA, STORY, EXERCISE = "data", "story", "exercise"


def band(label: str, curves: Curves, column: str, printed: Mapping[int, float], x: str) -> Band:
    """A column of every seed over epochs or updates; `x` is the name of the column on the axis."""
    return Band(label, curves.curves[0][x][: curves.epochs], curves.stack(column), printed)


class Charts:
    """Makes the pictures of one lecture, each with a unique name."""

    def __init__(self, evidence: Evidence, lecture: Lecture) -> None:
        self.evidence = evidence
        self.lecture = lecture
        self._count = 0

    def figure(self, figure: Figure, caption: str, alt: str, part: str = STORY) -> Picture:
        """A figure of matplotlib as a picture of the page."""
        self._count += 1
        name = f"chart-{self.lecture.number}-{self._count}"
        return Picture(as_svg(figure, name, alt), caption, alt, part)

    def drawing(self, drawing: Drawing, caption: str, alt: str, part: str = DATA) -> Picture:
        """A drawing as a picture of the page."""
        return Picture(drawing.svg(alt), caption, alt, part)

    def bands(self, bands: Sequence[Band], caption: str, part: str = STORY, **axes: Any) -> Picture:
        """Bands as a picture of the page, with their last values as its text."""
        alt = f"{axes['ylabel']} over {axes['xlabel']}s, at the end: "
        alt += ", ".join(_last_value(one, percent=axes.get("percent", False)) for one in bands)
        return self.figure(draw_bands(bands, **axes), caption, alt + ".", part)

    def printed(self, column: str) -> list[Band]:
        """A column of each of the lecture's stages, with the values that the lecture prints."""
        return [
            band(
                self.lecture.names[stage], self.evidence.curves(stage), column, printed[column],
                "epoch",
            )
            for stage, printed in self.lecture.printed.items()
        ]  # fmt: skip

    def scaled_loss(self, stage: str, caption: str) -> Picture:
        """Draw the training loss on the scale that the lecture prints."""
        curves, printed = self.evidence.curves(stage), self.lecture.printed[stage][SCALED]
        return self.bands(
            [band("training loss", curves, SCALED, printed, "epoch")],
            caption, xlabel="epoch", ylabel="training loss, lecture's scale",
        )  # fmt: skip

    def exercise(
        self, name: str, column: str, caption: str, labels: Mapping[str, str], **axes: Any
    ) -> list[Picture]:
        """Draw the trainings of an exercise. Empty if it is off, or no training is left.

        `labels` maps the name of each training to its label in the chart, in the chart's order.
        """
        exercise = self.evidence.exercise(name)
        there = {curve.training for curve in exercise}
        titles = [title for title in labels if title in there]
        if not titles:
            return []
        x = "updates" if axes["xlabel"] == "update" else "epoch"
        bands = [band(labels[title], exercise.of(title), column, {}, x) for title in titles]
        return [self.bands(bands, caption, EXERCISE, **axes)]

    def trainings(self, name: str) -> list[str]:
        """The names of the trainings of an exercise, in the order of the file."""
        return list(dict.fromkeys(curve.training for curve in self.evidence.exercise(name)))


def _last_value(one: Band, *, percent: bool) -> str:
    def to_text(value: float) -> str:
        return f"{100 * value:.1f} %" if percent else f"{value:#.3g}"

    text = f"{one.label} {to_text(float(one.y[:, -1].mean()))}"
    if one.printed:
        epoch = max(one.printed)
        text += f" (the lecture prints {to_text(one.printed[epoch])} for epoch {epoch})"
    return text
