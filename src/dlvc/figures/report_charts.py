"""The charts of the report, by lecture."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dlvc.arrays.array_files import read_npy, read_pickle
from dlvc.evidence.lectures import Lecture
from dlvc.evidence.outs import Curves, Evidence
from dlvc.figures.bands import Band, draw_bands
from dlvc.figures.features import draw_features_by_class
from dlvc.figures.inline import Picture, as_pixels, as_svg, style
from dvcview.files.artifacts import read_json

ACCURACY = "test accuracy"
SCALED = "train_loss_lecture_scale"
JITTER = 300  # the number of updates in the chart of the jitter


def band(label: str, curves: Curves, column: str, printed: Mapping[int, float], x: str) -> Band:
    """A column of every seed over epochs or updates; `x` is the name of the column on the axis."""
    return Band(label, curves.curves[0][x][: curves.epochs], curves.stack(column), printed)


def draw_charts(evidence: Evidence, lectures: Sequence[Lecture]) -> dict[str, list[dict[str, str]]]:
    """The HTML and the caption of each chart of the report, by the number of the lecture."""
    charts = Charts(evidence)
    return {
        lecture.number: [vars(picture) for picture in charts.of(lecture)] for lecture in lectures
    }


class Charts:
    """Draws the charts of the lectures and gives each picture a unique name."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._count = 0

    def of(self, lecture: Lecture) -> list[Picture]:
        """Draw all pictures of a lecture."""
        draw = {
            "03": self._features,
            "05": self._perceptron,
            "24": self._update_rules,
            "25": self._optimizers,
            "29": self._lenet,
            "40": self._densenet,
        }[lecture.number]
        with style():
            return draw(lecture)

    def _svg(self, figure: Figure, caption: str) -> Picture:
        self._count += 1
        return Picture(as_svg(figure, f"c{self._count}", caption), caption)

    def _bands(self, bands: Sequence[Band], caption: str, **axes: Any) -> Picture:
        return self._svg(draw_bands(bands, **axes), caption)

    def _exercise(
        self,
        name: str,
        column: str,
        caption: str,
        shown: Callable[[str], bool] = lambda _title: True,
        **axes: Any,
    ) -> list[Picture]:
        """Draw the trainings of an exercise that `shown` selects. Empty if it is off."""
        exercise = self._evidence.exercise(name)
        if not exercise.epochs:
            return []
        titles = dict.fromkeys(curve.training for curve in exercise if shown(curve.training))
        x = "updates" if axes["xlabel"] == "update" else "epoch"
        bands = [band(title, exercise.of(title), column, {}, x) for title in titles]
        return [self._bands(bands, caption, **axes)]

    def _scaled_loss(self, lecture: Lecture, stage: str, caption: str) -> Picture:
        """Draw the training loss on the scale that the lecture prints."""
        curves, printed = self._evidence.curves(stage), lecture.printed[stage][SCALED]
        return self._bands(
            [band("training loss", curves, SCALED, printed, "epoch")],
            caption,
            xlabel="epoch",
            ylabel="training loss, lecture's scale",
        )

    def _printed(self, lecture: Lecture, column: str) -> list[Band]:
        """A column of each of a lecture's stages, with the values that the lecture prints."""
        return [
            band(
                lecture.names[stage], self._evidence.curves(stage), column, printed[column], "epoch"
            )
            for stage, printed in lecture.printed.items()
        ]

    def _features(self, _lecture: Lecture) -> list[Picture]:
        root = self._evidence.root / "data/features"
        figure = draw_features_by_class(
            read_npy(root / "train_unnormalised.npy"),
            read_pickle(root / "trainLabel.pkl"),
            list(read_json(root / "scale.json")),
            self._evidence.images("photos")["classes"],
        )
        return [self._svg(figure, "The nine features of the training images, by class.")]

    def _perceptron(self, lecture: Lecture) -> list[Picture]:
        curves, printed = self._evidence.curves("perceptron"), lecture.printed["perceptron"]
        accuracies = [
            band(f"{part} images", curves, column, printed[column], "epoch")
            for part, column in (("training", "train_accuracy"), ("test", "test_accuracy"))
        ]
        return [
            self._scaled_loss(
                lecture, "perceptron",
                "The training loss on the lecture's scale: the sum of the batch means, divided by "
                "the number of images.",
            ),
            self._bands(
                accuracies, "The accuracy on the training images and on the test images.",
                xlabel="epoch", ylabel="accuracy", percent=True,
            ),
            *self._exercise(
                "perceptron", "train_loss", "Exercise: other learning rates, and more epochs.",
                xlabel="epoch", ylabel="training loss", logarithmic=True,
            ),
        ]  # fmt: skip

    def _update_rules(self, lecture: Lecture) -> list[Picture]:
        over_updates = [
            band(lecture.names[name], self._evidence.curves(name), "test_accuracy", {}, "updates")
            for name in lecture.printed
        ]
        images = self._evidence.about("per_epoch")["images"]
        return [
            self._bands(
                self._printed(lecture, "train_loss"), "The training loss over epochs.",
                xlabel="epoch", ylabel="training loss",
            ),
            self._bands(
                self._printed(lecture, "test_accuracy"),
                "The test accuracy over epochs. In each epoch, all rules use the same images.",
                xlabel="epoch", ylabel=ACCURACY, percent=True,
            ),
            self._bands(
                over_updates, "The test accuracy over updates.",
                xlabel="update", ylabel=ACCURACY, percent=True, logarithmic=True,
            ),
            self._jitter(),
            *self._exercise(
                "per_epoch", "test_accuracy",
                f"Exercise: the same number of updates by both rules, on {images:,} images.",
                xlabel="update", ylabel=ACCURACY, percent=True, logarithmic=True,
            ),
        ]  # fmt: skip

    def _jitter(self) -> Picture:
        bands = []
        for rule in ("per_sample", "per_batch"):
            losses = self._evidence.array(f"results/update_rules/{rule}/update_losses.npy")
            last = np.asarray(losses[-JITTER:], dtype=np.float64)
            bands.append(
                Band(rule.replace("_", " "), np.arange(1.0, len(last) + 1), last[np.newaxis])
            )
        caption = f"The loss from which each of the last {JITTER} updates was computed."
        return self._bands(bands, caption, xlabel="update", ylabel="loss")

    def _optimizers(self, lecture: Lecture) -> list[Picture]:
        axes: dict[str, Any] = {"xlabel": "epoch", "ylabel": ACCURACY, "percent": True}
        return [
            self._bands(
                self._printed(lecture, "train_loss"),
                "The training loss of the three optimizers at the same learning rate.",
                xlabel="epoch", ylabel="training loss",
            ),
            self._bands(
                self._printed(lecture, "test_accuracy"),
                "The test accuracy of the three optimizers at the same learning rate.", **axes,
            ),
            *self._exercise(
                "momentum", "test_accuracy",
                "Exercise: momentum compared with a larger learning rate.", **axes,
            ),
            *self._exercise(  # two pictures, because one would have too many curves
                "batch_sizes", "test_accuracy",
                "Exercise: SGD and Adam at several batch sizes and the lecture's learning rate.",
                lambda title: not title.endswith("own rate"), **axes,
            ),
            *self._exercise(
                "batch_sizes", "test_accuracy", "The same, with another learning rate for SGD.",
                lambda title: title.startswith("Adam") or title.endswith("own rate"), **axes,
            ),
            *self._exercise(
                "sgd", "test_accuracy", "Exercise: SGD over many epochs.",
                **axes, logarithmic=True,
            ),
        ]  # fmt: skip

    def _lenet(self, lecture: Lecture) -> list[Picture]:
        adam = self._evidence.curves("optimizers@adam")
        conv1 = self._evidence.array("results/lenet/conv1.npy")
        pictures = [
            self._scaled_loss(lecture, "lenet", "The training loss on the lecture's scale."),
            self._bands(
                [
                    *self._printed(lecture, "test_accuracy"),
                    band("MLP by Adam", adam, "test_accuracy", {}, "epoch"),
                ],
                "The test accuracy, and that of a fully connected network with the same budget.",
                xlabel="epoch", ylabel=ACCURACY, percent=True,
            ),
            self._kernels(conv1, 3, "LeNet's first kernels"),
            self._kernels(
                self._evidence.array("results/lenet/conv2.npy"), 3,
                "The first kernel of LeNet's second layer, with one picture per input channel",
            ),
        ]  # fmt: skip
        epochs = self._evidence.about("lenet")["epochs"]
        if epochs:
            name = f"Exercise: LeNet's first kernels and {epochs} epochs of training"
            longer = self._evidence.array("results/claims/lenet/conv1.npy")[0]
            pictures.append(self._kernels(longer, 3, name))
        return pictures

    def _densenet(self, lecture: Lecture) -> list[Picture]:
        curves = self._evidence.curves("densenet")
        conv0 = self._evidence.array("results/densenet/conv0.npy")
        return [
            self._scaled_loss(lecture, "densenet", "The training loss on the lecture's scale."),
            self._bands(
                self._printed(lecture, "test_accuracy"), "The test accuracy.",
                xlabel="epoch", ylabel=ACCURACY, percent=True,
            ),
            self._bands(
                [
                    band("training loss", curves, "train_loss", {}, "epoch"),
                    band("test loss", curves, "test_loss", {}, "epoch"),
                ],
                "The training loss and the test loss, each as the mean over its images.",
                xlabel="epoch", ylabel="mean loss",
            ),
            self._summed_test_loss(curves),
            self._kernels(conv0, 16, "DenseNet's first kernels"),
            self._kernels(
                self._evidence.array("results/densenet/denselayer1_conv1.npy"), 16,
                "The 64 weights of one output of the first dense layer's 1x1 convolution",
            ),
        ]  # fmt: skip

    def _summed_test_loss(self, curves: Curves) -> Picture:
        """Draw the test loss on the notebook's scale, with and without the notebook's mistake.

        The notebook divides a sum of batch means by the number of test images. It does not reset
        the sum before testing, so the sum also contains the means of the training batches.
        """
        images = self._evidence.images("photos")["test"]["images"]
        batches = math.ceil(images / self._evidence.params["densenet.batch_size"])
        epochs = curves.curves[0]["epoch"][: curves.epochs]
        updates = curves.curves[0]["updates"][0]
        without = curves.stack("test_loss") * batches / images
        with_training = without + curves.stack("train_loss") * updates / images
        return self._bands(
            [
                Band("with the training loss, as in the notebook", epochs, with_training),
                Band("test loss alone", epochs, without),
            ],
            "The test loss on the notebook's scale: the sum of the batch means, divided by the "
            "number of test images.",
            xlabel="epoch",
            ylabel="test loss, lecture's scale",
        )

    def _kernels(self, pair: NDArray[np.float32], columns: int, name: str) -> Picture:
        before, after = np.asarray(pair, dtype=np.float64)
        largest = float(np.abs([before, after]).max())
        change = after - before
        html = ""
        for label, text, kernels, limit in (
            ("before", "before training", before, largest),
            ("after", "after training", after, largest),
            ("difference", "difference", change, float(np.abs(change).max())),
        ):
            image = as_pixels(kernels, columns, f"{name}, {text}", largest=limit)
            html += f"<div><b>{label}</b>{image}</div>"
        caption = f"{name}. Gray is 0, and the difference has its own scale."
        return Picture(f'<div class="kernels">{html}</div>', caption)
