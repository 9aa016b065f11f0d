from itertools import permutations

import pytest

from dlvc.figures.palette import HIGHLIGHT, OTHER, STYLES, styles_of

WHITE, DARK = "#FFFFFF", "#16181A"  # the page by day and by night
COLORS = [OTHER.color, HIGHLIGHT, *(style.color for style in STYLES.values())]


def luminance(color):
    """The relative luminance of WCAG 2.1."""
    channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in channels]
    return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_name_has_a_colour_of_its_own():
    colors = [OTHER.color, *(style.color for style in STYLES.values())]
    assert len(set(colors)) == len(colors)


@pytest.mark.parametrize("page", [WHITE, DARK])
@pytest.mark.parametrize("color", COLORS)
def test_a_colour_stands_out_from_the_page(color, page):
    assert contrast(color, page) >= 3


@pytest.mark.parametrize(
    "group", [("per epoch", "per batch", "per sample"), ("SGD", "momentum", "Adam")]
)
def test_a_name_keeps_its_style_whatever_else_is_in_the_chart(group):
    for names in permutations(group):
        for shown in (names, names[:2], names[:1]):
            assert styles_of(shown) == [STYLES[name] for name in shown]


def test_a_longer_label_has_the_style_of_the_name_at_its_start():
    assert styles_of(["MLP by Adam", "LeNet"]) == [STYLES["MLP"], STYLES["LeNet"]]
    assert [style.color for style in styles_of(["training loss", "test loss alone"])] == [
        STYLES["train"].color, STYLES["test"].color,
    ]  # fmt: skip


def test_trainings_of_one_name_have_shades_of_its_colour_and_other_markers():
    labels = [f"{name}, batch of {size}" for size in (10, 16, 100) for name in ("SGD", "Adam")]
    styles = styles_of(labels)
    assert len({style.color for style in styles}) == len({style.marker for style in styles}) == 6
    assert styles[2].color == STYLES["SGD"].color
    assert styles[3].color == STYLES["Adam"].color


def test_the_name_itself_keeps_its_style_beside_its_shades():
    sgd, larger = styles_of(["SGD", "SGD, larger rate"])
    assert sgd == STYLES["SGD"]
    assert larger.color not in {style.color for style in STYLES.values()}


def test_many_unknown_labels_still_have_styles():
    assert len(styles_of([f"rate {number}" for number in range(12)])) == 12
