import numpy as np
import pytest

from dlvc.figures.curves import draw_curves, draw_updates


def test_each_series_is_one_line_with_its_name_and_values():
    series = {"train": [0.5, 0.3, 0.2], "test": [0.6, 0.4, 0.5]}
    (axes,) = draw_curves([1, 2, 3], series, "loss", "LeNet").axes
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("LeNet", "epoch", "loss")
    for line, (name, values) in zip(axes.lines, series.items(), strict=True):
        assert line.get_label() == name
        assert line.get_xdata().tolist() == [1, 2, 3]
        assert line.get_ydata().tolist() == values


def test_curves_differ_without_their_colours():
    names = ["SGD", "momentum", "Adam", "a", "b", "c"]
    (axes,) = draw_curves([1, 2], {name: [0.1, 0.2] for name in names}, "loss", "T").axes
    markers = {line.get_marker() for line in axes.lines}
    assert len(markers) == len(names)


@pytest.mark.parametrize("epochs", [[1], [7], range(1, 4), range(1, 11), range(1, 601)])
def test_ticks_are_whole_epochs(epochs):
    (axes,) = draw_curves(epochs, {"test": np.ones(len(epochs))}, "accuracy", "T").axes
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert ticks
    assert all(tick == int(tick) for tick in ticks)


def test_a_single_epoch_is_a_marker_over_its_tick():
    (axes,) = draw_curves([3], {"test": [0.9]}, "accuracy", "T").axes
    assert axes.lines[0].get_marker() == "o"
    low, high = axes.get_xlim()
    assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [3]


def test_few_updates_are_drawn_as_they_are():
    losses = [2.304, 2.300, 2.297]
    (axes,) = draw_updates(losses, "per epoch", "T").axes
    assert axes.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert axes.lines[0].get_ydata().tolist() == losses


def test_many_updates_are_gathered_in_windows():
    losses = np.arange(1201.0)  # 400 windows of 3 updates, and one of the last
    losses[600] = 9999  # one sample's outburst must not get lost
    above, below = draw_updates(losses, "per sample", "T").axes
    (mean,) = below.lines
    assert mean.get_xdata()[:2].tolist() == [2, 5]
    assert mean.get_ydata()[:2].tolist() == [1, 4]
    assert (mean.get_xdata()[-1], mean.get_ydata()[-1]) == (1201, 1200)
    corners = above.collections[0].get_paths()[0].vertices
    assert {0.0, 2.0} <= set(corners[corners[:, 0] == 2, 1])
    assert corners[:, 1].max() == 9999
