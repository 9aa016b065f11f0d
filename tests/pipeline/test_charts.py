"""The charts and pictures of the report, drawn from a run of the course."""

from __future__ import annotations

import json
import re

import pytest

from dlvc.figures.palette import STYLES, styles_of

PARTS = ("equation", "data", "story", "exercise")


@pytest.fixture(scope="module")
def charts(course):
    return json.loads(course.read("figures/charts.json"))


def test_every_picture_has_its_texts_and_a_part(charts):
    for pictures in charts.values():
        for picture in pictures:
            assert set(picture) == {"html", "caption", "alt", "part"}
            assert picture["caption"].endswith(".") or picture["part"] == "equation"
            assert len(picture["alt"]) > 10
            assert picture["part"] in PARTS


def test_images_come_first_and_exercises_last(charts):
    for pictures in charts.values():
        parts = [picture["part"] for picture in pictures]
        assert parts == sorted(parts, key=PARTS.index)
        assert "story" in parts


def test_a_caption_stands_alone(charts):
    captions = [picture["caption"] for pictures in charts.values() for picture in pictures]
    assert len(captions) == len(set(captions))
    assert not [caption for caption in captions if caption.startswith("The same")]


def test_each_curve_of_the_page_has_the_colour_of_its_name(charts):
    seen = set()
    for pictures in charts.values():
        for picture in pictures:
            texts = re.findall(r">([^<>]+)</text>", picture["html"])
            labels = [text for text in texts if any(text.startswith(name) for name in STYLES)]
            if "chart-" in picture["html"]:
                for one in styles_of([text for text in labels if text in STYLES]):
                    assert one.color.lower() in picture["html"], picture["caption"]
            seen |= set(labels) & set(STYLES)
    assert {"per epoch", "per batch", "per sample", "SGD", "momentum", "Adam", "LeNet"} <= seen


def test_nothing_is_black_or_white_on_the_page(charts):
    for pictures in charts.values():
        for picture in pictures:
            assert not re.search(r"#000000|#ffffff|black|white", picture["html"], re.IGNORECASE)


@pytest.mark.full
def test_the_same_outs_give_the_same_pictures(scratch):
    before = scratch.read("figures/charts.json")
    scratch.dvc("repro", "--single-item", "--force", "figures")
    assert scratch.read("figures/charts.json") == before
