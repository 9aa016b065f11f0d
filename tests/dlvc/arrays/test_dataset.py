import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlvc.arrays.dataset import ARRAYS, Dataset, check_dataset, open_dataset, save_dataset
from dvcview.errors import UserError


def small(shape: tuple[int, ...] = (28, 28)) -> Dataset:
    """Two classes; 5 training images of pixel 10, 20, …, and 2 test images of pixel 7."""
    train = np.stack([np.full(shape, 10 * i, np.uint8) for i in range(1, 6)])
    return Dataset(
        name="two",
        stand_in_for=None,
        classes=("a", "ö"),
        train_images=train,
        train_labels=np.array([0, 1, 1, 0, 1]),
        test_images=np.full((2, *shape), 7, np.uint8),
        test_labels=np.array([0, 0]),
    )


@pytest.mark.parametrize("shape", [(28, 28), (32, 32, 3)])
def test_what_is_saved_is_opened_again(tmp_path: Path, shape: tuple[int, ...]) -> None:
    dataset = replace(small(shape), stand_in_for="MNIST")
    save_dataset(tmp_path / "new", dataset)
    opened = open_dataset(tmp_path / "new")
    assert (opened.name, opened.stand_in_for, opened.classes) == ("two", "MNIST", ("a", "ö"))
    for array in ARRAYS:
        assert isinstance(getattr(opened, array), np.memmap)
        np.testing.assert_array_equal(getattr(opened, array), getattr(dataset, array))
        assert getattr(opened, array).dtype == getattr(dataset, array).dtype


def test_the_summary_describes_the_data(tmp_path: Path) -> None:
    dataset = small()
    save_dataset(tmp_path, dataset)
    digest = hashlib.sha256()
    for array in ARRAYS:
        digest.update(getattr(dataset, array).tobytes())
    assert json.loads((tmp_path / "summary.json").read_text(encoding="utf-8")) == {
        "name": "two",
        "stand_in_for": None,
        "digest": digest.hexdigest()[:16],
        "classes": ["a", "ö"],
        "train": {"images": 5, "shape": [28, 28], "counts": {"a": 2, "ö": 3}, "mean_pixel": 30.0},
        "test": {"images": 2, "shape": [28, 28], "counts": {"a": 2, "ö": 0}, "mean_pixel": 7.0},
    }


def test_the_same_data_give_the_same_bytes(tmp_path: Path) -> None:
    dataset = small((32, 32, 3))
    # The same values in another memory layout.
    other = replace(dataset, train_images=np.asfortranarray(dataset.train_images))
    save_dataset(tmp_path / "1", dataset)
    save_dataset(tmp_path / "2", other)
    names = sorted(file.name for file in (tmp_path / "1").iterdir())
    assert names == sorted([*(f"{array}.npy" for array in ARRAYS), "summary.json"])
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_one_other_label_gives_another_digest(tmp_path: Path) -> None:
    save_dataset(tmp_path / "1", small())
    save_dataset(tmp_path / "2", replace(small(), test_labels=np.array([0, 1])))
    first, second = (json.loads((tmp_path / n / "summary.json").read_bytes()) for n in "12")
    assert first["digest"] != second["digest"]


BAD = {
    "class without a training image": (
        {"train_labels": np.zeros(5, int)},
        "no training image of ö",
    ),
    "label too large": ({"test_labels": np.array([0, 2])}, "test_labels.*labels 0 to 2.*0 to 1"),
    "negative label": ({"train_labels": np.array([0, 1, -1, 0, 0])}, "train_labels.*labels -1"),
    "no test image": (
        {"test_images": np.zeros((0, 28, 28), np.uint8), "test_labels": np.zeros(0, int)},
        "test_images: contains no images",
    ),
    "one label too few": ({"train_labels": np.array([0, 1, 1, 0])}, r"\(4,\), expected int64 \(5,"),
    "labels of another type": ({"test_labels": np.zeros(2, np.int32)}, "int32"),
    "floats": ({"train_images": np.zeros((5, 28, 28))}, "train_images.*float64"),
    "another size": ({"test_images": np.zeros((2, 27, 28), np.uint8)}, r"\(2, 27, 28\)"),
    "photos to test digits": (
        {"test_images": np.zeros((2, 32, 32, 3), np.uint8)},
        r"test_images: found images of shape \(32, 32, 3\), expected \(28, 28\)",
    ),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD.keys())
def test_useless_data_are_refused_and_the_file_is_named(
    tmp_path: Path, change: dict[str, np.ndarray], message: str
) -> None:
    dataset = replace(small(), **change)
    with pytest.raises(UserError, match=message):
        check_dataset(dataset)
    with pytest.raises(UserError, match=message):
        save_dataset(tmp_path / "none", dataset)
    assert not (tmp_path / "none").exists()

    save_dataset(tmp_path, small())
    for array, value in change.items():
        np.save(tmp_path / f"{array}.npy", value)
    files = "|".join(rf"{array}\.npy" for array in change)
    with pytest.raises(UserError, match=files) as caught:
        open_dataset(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["summary.json", "train_images.npy", "test_labels.npy"])
@pytest.mark.parametrize("damage", ["missing", "empty", "foreign"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, damage: str) -> None:
    save_dataset(tmp_path, small())
    if damage == "missing":
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(b"" if damage == "empty" else b"[1]")
    with pytest.raises(UserError, match=name) as caught:
        open_dataset(tmp_path)
    assert "\n" not in str(caught.value)
