"""Features in shards: the same bytes for any number of them, in any order, from anybody."""

from __future__ import annotations

import random
import signal
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from dlvc.arrays.dataset import save_dataset
from dlvc.data.bundled import bundled_photos
from dlvc.features import extract, shards
from dlvc.features.shards import Shards, make_shard
from dlvc.params.reader import read_params
from dvcview.errors import UserError
from tests.imports import ROOT

PHOTOS = Path("data/photos")
TRAIN, TEST = 70, 20


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """90 photographs in a project's folder, in which the test is."""
    monkeypatch.chdir(tmp_path)
    photos = bundled_photos(TRAIN, TEST, seed=1)
    save_dataset(PHOTOS, photos)
    return photos


def settings(**changed):
    found = read_params(ROOT / "params.yaml").features
    return found.model_copy(update=changed)


@pytest.mark.parametrize("count", [1, 2, 7, 200])
def test_merged_they_are_what_was_extracted_at_once_in_whatever_order(count, photos):
    made = Shards(PHOTOS, settings(shards=count))
    for number in random.Random(count).sample(range(count), count):
        make_shard(PHOTOS, settings(), f"{number}/{count}")
    assert made.missing() == []
    train, test = made.merge()
    assert train.tobytes() == extract(photos.train_images).tobytes()
    assert test.tobytes() == extract(photos.test_images).tobytes()


def test_only_what_is_missing_or_damaged_is_made_again_and_it_is_named(photos, capsys):
    made = Shards(PHOTOS, settings(shards=7))
    made.make_missing()
    expected = [part.tobytes() for part in made.merge()]
    made.file(2).unlink()
    content = bytearray(made.file(5).read_bytes())
    content[-3] ^= 1
    made.file(5).write_bytes(content)
    with pytest.raises(UserError) as refused:
        made.merge()
    assert str(made.file(2)) in str(refused.value)
    assert str(made.file(5)) in str(refused.value)
    assert str(made.file(3)) not in str(refused.value)

    before = {number: made.file(number).stat().st_mtime_ns for number in (0, 1, 3, 4, 6)}
    assert made.missing() == [2, 5]
    said = capsys.readouterr().err
    assert f"{made.file(5)}: damaged; computing it again" in said
    assert f"{made.folder}: computing missing shards: 2-of-7" in said
    made.make_missing()
    assert [part.tobytes() for part in made.merge()] == expected
    assert before == {number: made.file(number).stat().st_mtime_ns for number in before}


def test_shards_of_another_number_are_named_and_left(photos, capsys):
    made = make_shard(PHOTOS, settings(), "0/7")
    Shards(PHOTOS, settings(shards=2)).make_missing()
    assert "ignoring *-of-7, because features.shards is 2" in capsys.readouterr().err
    assert Path(made).exists()


def test_two_that_make_one_shard_do_not_meet_in_one_file(photos, monkeypatch):
    """A scheduler that has given a task up begins it anew, and the first one still writes."""
    made = Shards(PHOTOS, settings(shards=2))
    write, names = shards.write_checksummed, []

    def write_and_be_overtaken(path, content):
        names.append(path.name)
        if len(names) == 1:
            monkeypatch.setattr("os.getpid", lambda: 1)
            made.make(0, lambda _: None)
        write(path, content)

    monkeypatch.setattr(shards, "write_checksummed", write_and_be_overtaken)
    made.make(0, lambda _: None)
    assert len(set(names)) == 2
    assert [file.name for file in made.folder.iterdir()] == ["0-of-2"]
    assert made.read(0) is not None


def test_other_images_settings_or_code_have_other_shards(photos, monkeypatch):
    first = Shards(PHOTOS, settings()).folder
    assert Shards(PHOTOS, settings(shards=7, workers=2)).folder == first
    gabor = settings().gabor.model_copy(update={"frequency": 0.2})
    assert Shards(PHOTOS, settings(gabor=gabor)).folder != first
    with monkeypatch.context() as other:
        other.setattr(shards, "_digest_of_code", lambda: "another")
        assert Shards(PHOTOS, settings()).folder != first
    save_dataset(PHOTOS, bundled_photos(TRAIN, TEST, seed=2))
    assert Shards(PHOTOS, settings()).folder != first


@pytest.mark.parametrize("wrong", ["7/7", "-1/7", "1", "a/b", "", "1/0", "1/2/3"])
def test_a_shard_that_cannot_be_is_refused(wrong, photos):
    with pytest.raises(UserError, match="allowed: 0/N to N-1/N"):
        make_shard(PHOTOS, settings(), wrong)


def test_a_shard_that_is_complete_is_not_made_again(photos):
    made = make_shard(PHOTOS, settings(), "1/3")
    changed = Path(made).stat().st_mtime_ns
    assert make_shard(PHOTOS, settings(), "1/3") == f"{made} is already complete"
    assert Path(made).stat().st_mtime_ns == changed


@pytest.fixture
def project(photos, tmp_path, monkeypatch):
    """A folder in which `dlvc features` can run."""
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    return photos


def test_workers_are_processes_and_make_the_same(project):
    made = Shards(PHOTOS, settings(shards=3, workers=2))
    made.make_missing()
    np.testing.assert_array_equal(made.merge()[0], extract(project.train_images))


def test_a_worker_that_is_killed_is_named_and_the_next_run_makes_only_its_shard(project):
    made = Shards(PHOTOS, settings(shards=3, workers=2))
    me = psutil.Process()

    def kill_one() -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            for worker in me.children():
                if "--shard" in worker.cmdline():
                    worker.send_signal(signal.SIGKILL)
                    return
            time.sleep(0.01)

    killer = threading.Thread(target=kill_one)
    killer.start()
    with pytest.raises(UserError, match="ended with exit code -9; run the same command again"):
        made.make_missing()
    killer.join()
    made.make_missing()
    np.testing.assert_array_equal(made.merge()[0], extract(project.train_images))
