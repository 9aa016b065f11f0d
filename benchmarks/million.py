"""`python -m benchmarks.million FOLDER [IMAGES]`: a million photographs, from files to features.

Makes a project's folders in FOLDER, which has to be empty: pictures of 32 x 32 pixels, PNG files
that are links to a few thousand bundled ones, so that a million take no room. Then runs the stages
`photos` and `features` on them, as processes, and prints how long each took and the most memory
that it held, without and with its workers. A million takes about a quarter of an hour.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
from PIL import Image
from ruamel.yaml import YAML

from benchmarks.measure import machine
from dlvc.data.bundled import bundled_photos

HERE = Path(__file__).parents[1]
DIFFERENT, TEST = 5000, 1000  # pictures; the others are links to them
SHARDS, WORKERS = 20, 2


def make_pictures(folder: Path, images: int) -> None:
    """train/<class>/ and test/<class>/, of ten classes."""
    photos = bundled_photos(DIFFERENT, 10, seed=1)
    originals = folder / "originals"
    originals.mkdir(parents=True)
    for number, image in enumerate(photos.train_images):
        Image.fromarray(image).save(originals / f"{number}.png", compress_level=1)
    for part, count in (("train", images - TEST), ("test", TEST)):
        for label in range(10):
            (folder / "data/many" / part / f"class {label}").mkdir(parents=True)
        for number in range(count):
            place = folder / "data/many" / part / f"class {number % 10}" / f"{number}.png"
            os.link(originals / f"{number % DIFFERENT}.png", place)


def make_project(folder: Path) -> None:
    """params.yaml and dvc.yaml, such that the stages find the pictures."""
    yaml = YAML()
    params = yaml.load(HERE / "params.yaml")
    params["data"]["photos"] |= {"source": "folder", "path": "data/many"}
    params["features"] |= {"shards": SHARDS, "workers": WORKERS}
    yaml.dump(params, folder / "params.yaml")
    shutil.copy(HERE / "dvc.yaml", folder)
    (folder / "data/pictures").mkdir()


def run(stage: str, folder: Path) -> tuple[float, float, float]:
    """Seconds, and megabytes that it held at most: one process, and all of them together."""
    environment = {**os.environ, "PYTHONPATH": str(HERE / "src")}
    began, most, together = time.monotonic(), 0, 0
    words = [sys.executable, "src/stage.py", stage]
    with subprocess.Popen(words, cwd=folder, env=environment) as process:
        while process.poll() is None:
            try:
                me = psutil.Process(process.pid)
                held = [one.memory_info().rss for one in (me, *me.children(recursive=True))]
            except psutil.Error:  # one has just ended
                continue
            most, together = max(most, *held), max(together, sum(held))
            time.sleep(0.1)
    if process.returncode:
        raise SystemExit(process.returncode)
    return time.monotonic() - began, most / 1e6, together / 1e6


def main() -> None:
    """Make, run, print."""
    folder, images = Path(sys.argv[1]), int((sys.argv[2:] or ["1_000_000"])[0])
    make_pictures(folder, images)
    make_project(folder)
    print(machine())
    for stage in ("photos", "features"):
        seconds, most, together = run(stage, folder)
        print(f"{stage}: {images} images in {seconds:.0f} s", flush=True)
        print(f"  {most:.0f} MB in one process, {together:.0f} MB in all", flush=True)


if __name__ == "__main__":
    main()
