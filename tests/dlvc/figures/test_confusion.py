import numpy as np

from dlvc.figures.confusion import draw_confusion


def test_cells_show_counts_and_colours_show_shares():
    matrix = np.array([[3, 1], [0, 0]])
    axes, _ = draw_confusion(matrix, ["cat", "immunohistochemistry"], "test images").axes
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts == {(0, 0): "3", (1, 0): "1", (0, 1): "0", (1, 1): "0"}  # (column, row)
    assert axes.images[0].get_array().tolist() == [[0.75, 0.25], [0, 0]]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == ["cat", "immunohistochemistry"]


def test_many_classes_have_no_counts_and_fewer_names():
    classes = [f"class {number}" for number in range(120)]
    axes, _ = draw_confusion(np.eye(120, dtype=int), classes, "test images").axes
    assert not axes.texts
    assert axes.images[0].get_array().shape == (120, 120)
    assert [label.get_text() for label in axes.get_yticklabels()] == classes[::3]
