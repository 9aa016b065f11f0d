"""The charts of the page, lecture by lecture."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dlvc.figures.bands import Band, draw_bands
from dlvc.figures.features import draw_features_by_class
from dlvc.report.evidence import Curves, Evidence
from dlvc.report.lectures import Lecture
from dlvc.report.pictures import Picture, as_pixels, as_svg, style
from dvcview.files.artifacts import read_json, read_npy, read_pickle

ACCURACY = "test accuracy"
SCALED = "train_loss_lecture_scale"
JITTER = 300  # updates that are shown one by one


def band(label: str, curves: Curves, column: str, printed: Mapping[int, float], x: str) -> Band:
    """A column over epochs or updates, from every seed."""
    return Band(label, curves.curves[0][x][: curves.epochs], curves.stack(column), printed)


class Charts:
    """Draws what belongs to a lecture; each picture gets a name of its own."""

    def __init__(self, evidence: Evidence, lectures: Sequence[Lecture]) -> None:
        self._evidence = evidence
        self._lectures = lectures
        self._count = 0

    def of(self, lecture: Lecture) -> list[Picture]:
        """All pictures of a lecture."""
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

    def _bands(self, bands: Sequence[Band], caption: str, **how: Any) -> Picture:
        return self._svg(draw_bands(bands, **how), caption)

    def _exercise(
        self,
        name: str,
        column: str,
        caption: str,
        shown: Callable[[str], bool] = lambda _title: True,
        **how: Any,
    ) -> list[Picture]:
        """The trainings of an exercise, or those of them to be shown; nothing where it is off."""
        exercise = self._evidence.exercise(name)
        if not exercise.epochs:
            return []
        titles = dict.fromkeys(one.training for one in exercise if shown(one.training))
        x = "updates" if how["xlabel"] == "update" else "epoch"
        return [
            self._bands([band(t, exercise.of(t), column, {}, x) for t in titles], caption, **how)
        ]

    def _scaled_loss(self, lecture: Lecture, stage: str, caption: str) -> Picture:
        """The training loss as the lecture prints it."""
        curves, printed = self._evidence.curves(stage), lecture.printed[stage][SCALED]
        return self._bands(
            [band("training loss", curves, SCALED, printed, "epoch")],
            caption,
            xlabel="epoch",
            ylabel="training loss, lecture's scale",
        )

    def _printed(self, lecture: Lecture, column: str) -> list[Band]:
        """A column of each of a lecture's stages, and what the lecture prints of it."""
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
                "The training loss on the lecture's scale: the sum of the batches' means over the "
                "number of images.",
            ),
            self._bands(
                accuracies, "Accuracy on the training and on the test images.",
                xlabel="epoch", ylabel="accuracy", percent=True,
            ),
            *self._exercise(
                "perceptron", "train_loss", "The exercise: other rates, and more epochs.",
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
                self._printed(lecture, "train_loss"), "Training loss over epochs.",
                xlabel="epoch", ylabel="training loss",
            ),
            self._bands(
                self._printed(lecture, "test_accuracy"),
                "Test accuracy over epochs: the same images each.",
                xlabel="epoch", ylabel=ACCURACY, percent=True,
            ),
            self._bands(
                over_updates, "The same over updates: what an update is worth.",
                xlabel="update", ylabel=ACCURACY, percent=True, logarithmic=True,
            ),
            self._jitter(),
            *self._exercise(
                "per_epoch", "test_accuracy",
                f"The exercise: as many updates by both rules, on {images:,} images.",
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
        caption = f"The loss that each of the last {JITTER} updates was made from."
        return self._bands(bands, caption, xlabel="update", ylabel="loss")

    def _optimizers(self, lecture: Lecture) -> list[Picture]:
        how: dict[str, Any] = {"xlabel": "epoch", "ylabel": ACCURACY, "percent": True}
        return [
            self._bands(
                self._printed(lecture, "train_loss"),
                "Training loss by the three optimizers, at one rate.",
                xlabel="epoch", ylabel="training loss",
            ),
            self._bands(
                self._printed(lecture, "test_accuracy"),
                "Test accuracy by the three optimizers, at one rate.", **how,
            ),
            *self._exercise(
                "momentum", "test_accuracy",
                "The exercise: is momentum more than a larger rate?", **how,
            ),
            *self._exercise(  # two pictures, since one could not be read
                "batch_sizes", "test_accuracy",
                "The exercise: SGD and Adam at other batch sizes, both at the lecture's rate.",
                lambda title: not title.endswith("own rate"), **how,
            ),
            *self._exercise(
                "batch_sizes", "test_accuracy", "The same with SGD at a rate of its own.",
                lambda title: title.startswith("Adam") or title.endswith("own rate"), **how,
            ),
            *self._exercise(
                "sgd", "test_accuracy", "The exercise: how long SGD needs.",
                **how, logarithmic=True,
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
                "Test accuracy, beside a fully connected net with the same budget.",
                xlabel="epoch", ylabel=ACCURACY, percent=True,
            ),
            self._kernels(conv1, 3, "LeNet's first kernels"),
            self._kernels(
                self._evidence.array("results/lenet/conv2.npy"), 3,
                "Of LeNet's second layer the first kernel, one picture for each of its six inputs",
            ),
        ]  # fmt: skip
        epochs = self._evidence.about("lenet")["epochs"]
        if epochs:
            name = f"The exercise: the same kernels and {epochs} epochs"
            longer = self._evidence.array("results/claims/lenet/conv1.npy")[0]
            pictures.append(self._kernels(longer, 3, name))
        return pictures

    def _densenet(self, lecture: Lecture) -> list[Picture]:
        curves = self._evidence.curves("densenet")
        conv0 = self._evidence.array("results/densenet/conv0.npy")
        return [
            self._scaled_loss(lecture, "densenet", "The training loss on the lecture's scale."),
            self._bands(
                self._printed(lecture, "test_accuracy"), "Test accuracy.",
                xlabel="epoch", ylabel=ACCURACY, percent=True,
            ),
            self._bands(
                [
                    band("training loss", curves, "train_loss", {}, "epoch"),
                    band("test loss", curves, "test_loss", {}, "epoch"),
                ],
                "Training and test loss, each a mean over its images.",
                xlabel="epoch", ylabel="mean loss",
            ),
            self._summed_test_loss(curves),
            self._kernels(conv0, 16, "DenseNet's first kernels"),
            self._kernels(
                self._evidence.array("results/densenet/denselayer1_conv1.npy"), 16,
                "Of the first dense layer's 1x1 convolution the 64 weights of one output",
            ),
        ]  # fmt: skip

    def _summed_test_loss(self, curves: Curves) -> Picture:
        """The sum of the batches' means over the number of test images, as the notebook divides it,
        with the training batches' sum in it, which it does not reset, and without."""
        images = self._evidence.images("photos")["test"]["images"]
        batches = math.ceil(images / self._evidence.params["densenet.batch_size"])
        epochs = curves.curves[0]["epoch"][: curves.epochs]
        updates = curves.curves[0]["updates"][0]
        without = curves.stack("test_loss") * batches / images
        with_training = without + curves.stack("train_loss") * updates / images
        return self._bands(
            [
                Band("with the training loss, as in the notebook", epochs, with_training),
                Band("the test loss alone", epochs, without),
            ],
            "The sum of the test batches' means over the number of images, as the notebook has it.",
            xlabel="epoch",
            ylabel="test loss, lecture's scale",
        )

    def _kernels(self, pair: NDArray[np.float32], columns: int, name: str) -> Picture:
        before, after = np.asarray(pair, dtype=np.float64)
        largest = float(np.abs([before, after]).max())
        shown = [
            as_pixels(kernels, columns, f"{name}, {when}", largest=of)
            for kernels, when, of in (
                (before, "before training", largest),
                (after, "after training", largest),
                (after - before, "difference", float(np.abs(after - before).max())),
            )
        ]
        html = "".join(
            f"<div><b>{when}</b>{image}</div>"
            for when, image in zip(("before", "after", "difference"), shown, strict=True)
        )
        caption = f"{name}: gray is 0; the difference has a scale of its own."
        return Picture(f'<div class="kernels">{html}</div>', caption)
