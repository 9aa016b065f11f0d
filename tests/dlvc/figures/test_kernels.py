import numpy as np
import pytest

from dlvc.figures.kernels import draw_kernels
from dlvc.figures.mosaic import mosaic

RNG = np.random.default_rng(0)


def test_a_mosaic_is_read_like_a_page():
    cells = RNG.normal(size=(5, 2, 3))
    picture = mosaic(cells, columns=3, blank=9)
    assert picture.shape == (4, 9)
    assert (picture[:2, 3:6] == cells[1]).all()
    assert (picture[2:, :3] == cells[3]).all()
    assert (picture[2:, 6:] == 9).all()


def test_gray_panels_hold_the_weights():
    before, after = RNG.normal(size=(2, 6, 5, 5))
    panels = [axes.images[0] for axes in draw_kernels(before, after, "conv1").axes[:3]]
    for panel, kernels in zip(panels, (before, after, before - after), strict=True):
        assert panel.get_array().shape == (10, 15)
        assert (panel.get_array()[5:, 10:] == kernels[5]).all()


def test_rgb_panels_go_from_black_to_white():
    before, after = RNG.normal(size=(2, 64, 7, 7, 3))
    panels = [axes.images[0] for axes in draw_kernels(before, after, "conv0").axes[:3]]
    for panel, kernels in zip(panels, (before, after, before - after), strict=True):
        expected = (kernels - kernels.min()) / (kernels.max() - kernels.min())
        np.testing.assert_allclose(panel.get_array()[7:14, :7], expected[8], rtol=1e-12)


@pytest.mark.parametrize("shape", [(6, 5, 5), (4, 3, 3, 3)])
def test_each_grid_has_a_scale_of_its_own(shape):
    before = np.linspace(-0.25, 1.0, np.prod(shape)).reshape(shape)
    after = -2 * before
    limits = [axes.images[0].get_clim() for axes in draw_kernels(before, after, "T").axes[:3]]
    assert limits == [(-0.25, 1.0), (-2.0, 0.5), (-0.75, 3.0)]


def test_equal_weights_are_mid_gray():
    weights = np.full((4, 3, 3, 3), 0.5)
    for axes in draw_kernels(weights, weights, "T").axes[:3]:
        assert (axes.images[0].get_array() == 0.5).all()


def test_64_weights_of_a_1x1_convolution_are_an_8_by_8_grid():
    weights = np.arange(64.0).reshape(64, 1, 1)
    panel = draw_kernels(weights, weights, "T").axes[0].images[0]
    assert (panel.get_array() == np.arange(64).reshape(8, 8)).all()
