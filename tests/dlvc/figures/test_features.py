import numpy as np
import pytest

from dlvc.figures.features import draw_feature_maps, draw_features_by_class

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (12, 10), dtype=np.uint8)
LBP = RNG.integers(0, 7, (12, 10), dtype=np.uint8)
GABOR = RNG.integers(0, 500, (12, 10))
GLCM = np.zeros((256, 256))
GLCM[20:41, 20:41] = 0.5 / 21**2
GLCM[30, 30] += 0.5


def test_each_panel_holds_its_map():
    panels = draw_feature_maps(IMAGE, LBP, GLCM, GABOR, "one image").axes[:4]
    for axes, values in zip(panels, (IMAGE, LBP, GLCM, GABOR), strict=True):
        assert (axes.images[0].get_array() == values).all()
    assert [axes.get_title() for axes in panels] == ["image", "LBP", "GLCM", "Gabor"]


def test_the_glcm_is_shown_where_it_is_not_empty():
    axes = draw_feature_maps(IMAGE, LBP, GLCM, GABOR, "one image").axes[2]
    assert axes.get_xlim() == (19.5, 40.5)
    assert axes.get_ylim() == (40.5, 19.5)


def test_maps_have_colour_bars_and_a_colour_picture_has_none():
    assert len(draw_feature_maps(IMAGE, LBP, GLCM, GABOR, "T").axes) == 8
    colour = np.stack([IMAGE] * 3, axis=-1)
    assert len(draw_feature_maps(colour, LBP, GLCM, GABOR, "T").axes) == 7


def test_a_box_shows_the_quartiles_of_its_class():
    features = RNG.normal(size=(1000, 9))
    labels = np.arange(1000) % 2
    figure = draw_features_by_class(features, labels, [f"f{k}" for k in range(9)], ["cat", "dog"])
    assert [axes.get_xlabel() for axes in figure.axes] == [f"f{k}" for k in range(9)]
    for axes, feature in zip(figure.axes, features.T, strict=True):
        for place, box in enumerate(axes.patches):
            quartiles = np.quantile(feature[labels == place], [0.25, 0.75])
            corners = box.get_path().vertices
            assert (corners[:, 0].min(), corners[:, 0].max()) == pytest.approx(tuple(quartiles))
            assert corners[:, 1].mean() == pytest.approx(place, abs=0.2)


def test_names_stand_once_and_the_first_class_on_top():
    figure = draw_features_by_class(np.eye(4), np.arange(4) % 2, list("wxyz"), ["cat", "dog"])
    first = figure.axes[0]
    assert [label.get_text() for label in first.get_yticklabels()] == ["cat", "dog"]
    low, high = first.get_ylim()
    assert low > high
