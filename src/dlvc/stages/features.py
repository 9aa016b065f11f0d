"""Lecture 3: nine texture features of every photograph, in pickles. Leaves data/features/."""

from __future__ import annotations

from pathlib import Path

from skimage.feature import graycomatrix
from tqdm import tqdm

from dlvc import artifacts
from dlvc.command import run_command
from dlvc.data.dataset import open_dataset
from dlvc.features import (
    FEATURE_NAMES,
    extract,
    gabor_magnitude,
    local_binary_pattern,
    to_gray,
)
from dlvc.features.normalise import Scale
from dlvc.figures.features import draw_feature_maps, draw_features_by_class
from dlvc.params import flatten, read_params
from dlvc.tracking import stage_run

PHOTOS = Path("data/photos")
FEATURES = Path("data/features")


def main() -> None:
    """Parse, load, extract, save."""
    settings = read_params().features
    photos, summary = open_dataset(PHOTOS), artifacts.read_json(PHOTOS / "summary.json")
    parts = {
        "train": (photos.train_images, photos.train_labels),
        "test": (photos.test_images, photos.test_labels),
    }

    with stage_run(
        "Lecture 03 texture features", "features", flatten(settings.model_dump()), summary
    ) as run:
        arguments = {key.replace(".", "_"): x for key, x in flatten(settings.model_dump()).items()}
        raw = {}
        for part, (images, _) in parts.items():
            with tqdm(total=len(images), desc=part, unit="image", disable=None) as bar:
                raw[part] = extract(
                    images, **arguments, progress=lambda done, bar=bar: bar.update(done - bar.n)
                )

        scale = Scale.of(raw["train"])
        for part, (_, labels) in parts.items():
            artifacts.write_npy(FEATURES / f"{part}_unnormalised.npy", raw[part])
            artifacts.write_pickle(FEATURES / f"{part}Feats.pkl", scale.normalise(raw[part]))
            artifacts.write_pickle(FEATURES / f"{part}Label.pkl", labels)
        artifacts.write_csv(
            FEATURES / "scale.csv",
            [
                {"feature": name, "minimum": low, "maximum": high}
                for name, low, high in zip(
                    FEATURE_NAMES, scale.minimum.tolist(), scale.maximum.tolist(), strict=True
                )
            ],
        )
        artifacts.write_json(FEATURES / "summary.json", summary)

        image = to_gray(photos.train_images[:1])
        maps = draw_feature_maps(
            photos.train_images[0],
            local_binary_pattern(image, settings.lbp.neighbours, settings.lbp.radius)[0],
            graycomatrix(
                image[0], [settings.glcm.distance], [settings.glcm.angle], symmetric=True, normed=True
            )[:, :, 0, 0],
            gabor_magnitude(image, settings.gabor.frequency, settings.gabor.theta)[0],
            title=f"Texture of one photograph: {photos.classes[photos.train_labels[0]]}",
        )
        artifacts.write_figure(FEATURES / "maps.png", maps)
        by_class = draw_features_by_class(
            raw["train"], photos.train_labels, FEATURE_NAMES, photos.classes
        )
        artifacts.write_figure(FEATURES / "by_class.png", by_class)
        run.log_results(FEATURES)


if __name__ == "__main__":
    run_command(main)
