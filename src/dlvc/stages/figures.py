"""Draws every picture of data, features and trainings from their outs. Writes figures/.

Pictures have a stage of their own, so that a change of a colour does not repeat a training.
"""

from __future__ import annotations

from functools import partial

from dlvc.figures import pictures
from dlvc.figures.gallery import draw_all
from dlvc.figures.pictures import FIGURES, TRAININGS
from dlvc.params.reader import read_params
from dvcview.files.artifacts import write_json
from dvcview.tracking import stage_run

RULES = ("per_epoch", "per_batch", "per_sample")
KERNELS = ("lenet/conv1", "lenet/conv2", "densenet/conv0", "densenet/denselayer1_conv1")


def main() -> None:
    """Read parameters, draw, save."""
    params = read_params().select("densenet.batch_size", "densenet.image_size")
    with stage_run("figures", FIGURES, params):
        sources = draw_all(
            [
                partial(pictures.draw_report, params),
                pictures.draw_features,
                pictures.draw_maps,
                *(partial(pictures.draw_images, name) for name in ("digits", "photos")),
                *(partial(pictures.draw_training, training) for training in TRAININGS),
                *(partial(pictures.draw_update_losses, rule) for rule in RULES),
                *(partial(pictures.draw_kernel_pair, kernels) for kernels in KERNELS),
            ]
        )
        write_json(FIGURES / "sources.json", sources)
