"""Pictures of one's own, with another number of classes than the lectures' ten."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
from PIL import Image

from tests.pipeline.project import SMALL, Project

DIGITS = [f"sign {number}" for number in range(12)]
PHOTOS = ["true", "false"]  # a column of a table must not have one of these names


def draw(folder: Path, classes: list[str]) -> None:
    """Twelve pictures per class for training and four for testing: noise around a gray."""
    rng = np.random.default_rng(3)
    for part, count in (("train", 12), ("test", 4)):
        for label, name in enumerate(classes):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                mean = 255 * (label + 0.5) / len(classes)
                pixels = np.clip(rng.normal(mean, 20, (40, 30, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{number}.png")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("own") / "dlvc"
    draw(root / "data/pictures/digits", DIGITS)
    draw(root.parent / "my photos", PHOTOS)
    Image.new("L", (9, 9)).save(root.parent / "my photos/train/true/drawing.webp")
    archive = shutil.make_archive(str(root.parent / "photos"), "zip", root.parent / "my photos")
    own = {
        "data.digits.source": "folder",
        "data.photos.source": "folder",
        "data.photos.path": archive,
        "update_rules.per_sample.shuffle": True,
        "densenet.epochs": 1,
        "lenet.epochs": 2,
    }
    project = Project.copy(root, SMALL | own)
    said = project.dvc("repro").stdout
    assert "photos.zip: files that are not read: 1 (1 .webp); convert them to .png or .jpg" in said
    project.sync()
    return project


@pytest.mark.full
def test_the_course_runs_with_any_number_of_classes(own: Project) -> None:
    own.call("dvcview", "verify")
    for stage, classes in (("lenet", DIGITS), ("optimizers/adam", DIGITS), ("densenet", PHOTOS)):
        rows = (own.root / f"results/{stage}/confusion.csv").read_text().splitlines()
        assert len(rows) == 1 + len(classes)
        assert rows[0].split(",") == ["true/predicted", *sorted(classes)]
        assert [row.split(",")[0] for row in rows[1:]] == sorted(classes)


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("lenet", (28, 28), 12),
        ("update_rules-per_sample", (28, 28), 12),
        ("densenet", (32, 32, 3), 2),
        ("perceptron", (9,), 2),
    ],
)
def test_a_logged_model_has_as_many_outputs(
    own: Project,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    shape: tuple[int, ...],
    classes: int,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{own.root / 'mlflow.db'}")
    # MLflow puts the model's own code first, and leaves it there: later processes would import it.
    monkeypatch.setattr(sys, "path", sys.path.copy())
    model = mlflow.pyfunc.load_model(f"models:/{name}@current")
    assert model.metadata.signature.outputs.inputs[0].shape == (-1, classes)
    dtype = np.float32 if name == "perceptron" else np.uint8
    probabilities = model.predict(np.ones((3, *shape), dtype))
    assert probabilities.shape == (3, classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.full
def test_claims_about_the_lectures_images_are_not_judged(own: Project) -> None:
    page = (own.root / "report/index.html").read_text(encoding="utf-8")
    assert "pictures from photos.zip" in page
    assert "its images or epochs are not the lecture&#39;s" in page
