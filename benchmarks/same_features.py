"""Whether the features of all of a set's images are scikit-image's: every map, every value.

`python -m benchmarks.same_features PICTURES`: a folder or .zip as in data/README.md. 80 s for
60,000 images on two cores, most of it scikit-image's.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import skimage.feature
from numpy.typing import NDArray
from skimage.filters import gabor
from tqdm import tqdm

from benchmarks.lecture_features import features_of_all
from dlvc.arrays.dataset import PHOTO_SHAPE
from dlvc.data.folder import load_folder
from dlvc.features import FEATURE_NAMES, extract, gabor_magnitude, local_binary_pattern, to_gray

CHUNK = 500


def differences(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Of RGB images: LBP maps that differ, Gabor maps that differ, the largest of each feature."""
    gray = to_gray(images)
    lbp, magnitudes = local_binary_pattern(gray), gabor_magnitude(gray)
    different = np.zeros(2)
    for n, image in enumerate(gray):
        codes = skimage.feature.local_binary_pattern(image, 5, 2, "uniform")
        real, imag = gabor(image.astype(np.int64), 0.6)
        different += [(codes != lbp[n]).any(), ((real**2 + imag**2) // 2 != magnitudes[n]).any()]
    distance = np.abs(extract(images, threads=1) - features_of_all(images)).max(axis=0)
    return np.concatenate([different, distance])


def main() -> None:
    """Compare, and print what was found."""
    with TemporaryDirectory() as folder:
        pictures = load_folder(Path(sys.argv[1]), PHOTO_SHAPE, Path(folder))
        images = np.concatenate([pictures.train_images, pictures.test_images])
    chunks = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
    with ProcessPoolExecutor() as pool:
        found = np.array(list(tqdm(pool.map(differences, chunks), total=len(chunks), disable=None)))
    print(f"{len(images)} images: {found[:, 0].sum():.0f} LBP maps differ from scikit-image's, ")
    print(f"{found[:, 1].sum():.0f} Gabor maps; the largest difference in a feature:")
    for name, distance in zip(FEATURE_NAMES, found[:, 2:].max(axis=0), strict=True):
        print(f"  {name:20} {distance:.1e}")


if __name__ == "__main__":
    main()
