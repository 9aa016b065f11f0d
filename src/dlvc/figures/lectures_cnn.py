"""The pictures of lectures 29 and 40: LeNet and DenseNet."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dlvc.arrays.dataset import Dataset, open_dataset
from dlvc.evidence.curves import Curves
from dlvc.figures.bands import Band
from dlvc.figures.charts import EXERCISE, STORY, Charts, band
from dlvc.figures.diagram import Block, densenet_blocks, draw_network, lenet_blocks
from dlvc.figures.inline import Picture
from dlvc.figures.lectures_features import confusion
from dlvc.figures.networks import activations, load, predict
from dlvc.figures.palette import STYLES
from dlvc.figures.panels import draw_activations, draw_errors, draw_kernel_grids
from dlvc.models.densenet import DenseNet121
from dlvc.models.lenet import IMAGE_SIZE, LeNet
from dvcview.files.artifacts import read_csv

ACCURACY = "test accuracy"
ERRORS = 18  # wrongly classified images that are shown
PHOTOS = 200  # test photographs that DenseNet classifies here, because it takes seconds
BOXES = (
    "Each box is a layer or a block of layers. Below its name stand the shape of its output, as "
    "channels × height × width, and its number of parameters."
)


def lenet(charts: Charts) -> list[Picture]:
    """Lecture 29."""
    root = charts.evidence.root / "results/lenet"
    layers = lenet_blocks(read_csv(root / "layers.csv"), IMAGE_SIZE)
    total = sum(layer.parameters for layer in layers)
    adam = charts.evidence.curves("optimizers@adam")
    data = open_dataset(charts.evidence.root / "data/digits")
    model = load(LeNet(len(data.classes)), root / "weights.safetensors")
    found = charts.evidence.about("lenet")["epochs"]
    longer = [
        kernels(
            charts, charts.evidence.array("results/claims/lenet/conv1.npy")[0],
            "Exercise: do LeNet's first kernels look like gradient operators after more training? "
            f"The kernels before and after {found} epochs.",
            EXERCISE,
        )
    ] if found else []  # fmt: skip
    return [
        charts.drawing(
            draw_network(layers, STYLES["LeNet"].color),
            f"LeNet. {BOXES} Pooling halves the height and width after each convolution.",
            f"{len(layers) - 1} layers with {total:,} parameters: "
            + _shapes(layers),
        ),
        _maps(charts, model, data),
        charts.scaled_loss("lenet", "LeNet's training loss on the lecture's scale."),
        charts.bands(
            [
                *charts.printed("test_accuracy"),
                band("MLP by Adam", adam, "test_accuracy", {}, "epoch"),
            ],
            "LeNet's test accuracy, and that of lecture 25's MLP, trained by Adam.",
            xlabel="epoch", ylabel=ACCURACY, percent=True,
        ),
        kernels(
            charts, charts.evidence.array("results/lenet/conv1.npy"), "LeNet's six first kernels."
        ),
        kernels(
            charts, charts.evidence.array("results/lenet/conv2.npy"),
            "The first kernel of LeNet's second layer, with one picture per input channel.",
        ),
        confusion(charts, "lenet", "LeNet"),
        *_errors(charts, model, data, "digits"),
        *longer,
        *(
            picture
            for optimizer in ("Adam", "SGD")
            for picture in charts.exercise(
                "lenet_sgd", "test_accuracy",
                "Exercise: is Adam faster than SGD? The test accuracy of LeNet, trained with "
                f"{optimizer} at several learning rates. All rates have the first seed, and the "
                "best one has the others.",
                {
                    name: name
                    for name in charts.trainings("lenet_sgd")
                    if name.startswith(optimizer)
                },
                xlabel="epoch", ylabel=ACCURACY, percent=True,
            )
        ),
    ]  # fmt: skip


def _shapes(blocks: Sequence[Block]) -> str:
    return ", ".join(f"{block.name} {'×'.join(map(str, block.shape))}" for block in blocks) + "."


def _maps(charts: Charts, model: LeNet, data: Dataset) -> Picture:
    """What the trained LeNet computes for a test digit."""
    maps = draw_activations(activations(model, data.test_images[0]))
    return charts.drawing(
        maps,
        "What the trained LeNet computes for the first test digit: the output of each convolution "
        "and pooling. Each stage is scaled from its smallest value (black) to its largest (white).",
        f"The maps of LeNet's two convolutions for a {data.classes[data.test_labels[0]]}.",
    )


def _errors(charts: Charts, model: LeNet | DenseNet121, data: Dataset, kind: str) -> list[Picture]:
    """The wrongly classified images of the highest probability. Empty without errors."""
    name = "LeNet" if kind == "digits" else "DenseNet"
    count = len(data.test_labels)
    # Images of a folder are sorted by class, so those of a part must be spread over all of them.
    tested = min(count, PHOTOS) if kind == "photographs" else count
    chosen = np.linspace(0, count - 1, tested).round().astype(int)
    images, labels = data.test_images[chosen], data.test_labels[chosen]
    predictions = predict(model, images)
    wrong = np.flatnonzero(predictions.classes != labels)
    if not len(wrong):
        return []
    # Rounded, because the last digits depend on the processor.
    order = np.argsort(-predictions.probability[wrong].round(4), kind="stable")
    worst = wrong[order[:ERRORS]]
    true, predicted = labels[worst], predictions.classes[worst]
    drawing = draw_errors(
        images[worst], true, predicted, predictions.probability[worst], data.classes
    )
    return [
        charts.drawing(
            drawing,
            f"{name} classifies {len(wrong):,} of {tested:,} test {kind} wrongly. These "
            f"{len(worst)} have the highest probability: the true class, the predicted class, and "
            "its probability.",
            f"The true class of the first one is {data.classes[true[0]]}, and {name} predicts "
            f"{data.classes[predicted[0]]}.",
            STORY,
        )
    ]


def kernels(charts: Charts, pair: NDArray[np.float32], caption: str, part: str = STORY) -> Picture:
    """Kernels before and after training, and their difference."""
    before, after = np.asarray(pair, dtype=np.float64)
    change = float(np.linalg.norm(after - before) / (np.linalg.norm(before) or 1))
    return charts.drawing(
        draw_kernel_grids(pair),
        f"{caption} As in the lecture, each grid is scaled from its smallest weight (black) to its "
        "largest (white).",
        f"{len(before)} kernels before training, after training, and their difference. Its length "
        f"is {100 * change:.0f} % of the length of the initial kernels.",
        part,
    )


def densenet(charts: Charts) -> list[Picture]:
    """Lecture 40."""
    curves = charts.evidence.curves("densenet")
    blocks = densenet_blocks(read_csv(charts.evidence.root / "results/densenet/layers.csv"))
    data = open_dataset(charts.evidence.root / "data/photos")
    model = DenseNet121(charts.evidence.params["densenet.image_size"], len(data.classes))
    load(model, charts.evidence.root / "results/densenet/weights.safetensors")
    printed = charts.lecture.printed["densenet"]["test_accuracy"]
    resnet = charts.evidence.exercise("resnet")
    compared = [
        charts.bands(
            [
                band("DenseNet-121", curves, "test_accuracy", {}, "epoch"),
                band("ResNet-18", resnet, "test_accuracy", {}, "epoch"),
            ],
            "Exercise: is DenseNet as accurate as a residual network? Both are trained in the same "
            "way.",
            EXERCISE, xlabel="epoch", ylabel=ACCURACY, percent=True,
        )
    ] if resnet.epochs else []  # fmt: skip
    return [
        charts.drawing(
            draw_network(blocks, STYLES["DenseNet"].color),
            f"DenseNet-121. {BOXES} In brackets stands the number of dense layers of a block, each "
            "of which appends 32 channels. A transition halves the channels, the height and the "
            "width.",
            f"{sum(block.parameters for block in blocks):,} parameters: "
            + _shapes(blocks),
        ),
        charts.scaled_loss("densenet", "DenseNet's training loss on the lecture's scale."),
        charts.bands(
            [
                band("training accuracy", curves, "train_accuracy", {}, "epoch"),
                band("test accuracy", curves, "test_accuracy", printed, "epoch"),
            ],
            "DenseNet's training accuracy and test accuracy.",
            xlabel="epoch", ylabel="accuracy", percent=True,
        ),
        charts.bands(
            [
                band("training loss", curves, "train_loss", {}, "epoch"),
                band("test loss", curves, "test_loss", {}, "epoch"),
            ],
            "DenseNet's training loss and test loss, each as the mean over its images.",
            xlabel="epoch", ylabel="mean loss",
        ),
        _summed_test_loss(charts, curves),
        kernels(
            charts, charts.evidence.array("results/densenet/conv0.npy"),
            "DenseNet's 64 first kernels, in colour.",
        ),
        kernels(
            charts, charts.evidence.array("results/densenet/denselayer1_conv1.npy"),
            "The 64 weights of one output of the first dense layer's 1×1 convolution.",
        ),
        confusion(charts, "densenet", "DenseNet"),
        *_errors(charts, model, data, "photographs"),
        *compared,
    ]  # fmt: skip


def _summed_test_loss(charts: Charts, curves: Curves) -> Picture:
    """Draw the test loss on the notebook's scale, with and without the notebook's mistake.

    The notebook divides a sum of batch means by the number of test images. It does not reset the
    sum before testing, so the sum also contains the means of the training batches.
    """
    images = charts.evidence.images("photos")["test"]["images"]
    batches = math.ceil(images / charts.evidence.params["densenet.batch_size"])
    epochs = curves.curves[0]["epoch"][: curves.epochs]
    updates = curves.curves[0]["updates"][0]
    without = curves.stack("test_loss") * batches / images
    with_training = without + curves.stack("train_loss") * updates / images
    return charts.bands(
        [
            Band("with the training loss, as in the notebook", epochs, with_training),
            Band("test loss alone", epochs, without),
        ],
        "DenseNet's test loss on the notebook's scale: the sum of the batch means, divided by the "
        "number of test images. The notebook does not reset the sum before it tests, so it also "
        "adds the training loss.",
        xlabel="epoch",
        ylabel="test loss, lecture's scale",
    )
