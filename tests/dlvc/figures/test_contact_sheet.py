import numpy as np

from dlvc.figures.contact_sheet import draw_contact_sheet

RNG = np.random.default_rng(0)


def test_a_row_holds_the_first_images_of_its_class():
    images = RNG.integers(0, 255, (7, 4, 5, 3), dtype=np.uint8)
    labels = np.array([1, 0, 1, 1, 0, 1, 1])
    (axes,) = draw_contact_sheet(images, labels, ["cat", "dog"], per_class=3).axes
    sheet = axes.images[0].get_array()
    assert sheet.shape == (8, 15, 3)
    for row, members in enumerate(([1, 4], [0, 2, 3])):
        for column, member in enumerate(members):
            cell = sheet[4 * row : 4 * row + 4, 5 * column : 5 * column + 5]
            assert (cell == images[member]).all()
    assert (sheet[:4, 10:] == 255).all()  # there is no third cat
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]
    assert axes.get_yticks().tolist() == [0.5, 1.5]


def test_gray_levels_are_not_stretched():
    images = RNG.integers(100, 150, (4, 8, 8), dtype=np.uint8)
    (axes,) = draw_contact_sheet(images, np.arange(4) % 2, ["0", "1"]).axes
    assert axes.images[0].get_clim() == (0, 255)


def test_only_the_images_shown_are_read(tmp_path):
    path = tmp_path / "images.npy"
    np.save(path, RNG.integers(0, 255, (50, 8, 8), dtype=np.uint8))
    (axes,) = draw_contact_sheet(np.load(path, mmap_mode="r"), np.zeros(50), ["0"], 2).axes
    assert axes.images[0].get_array().shape == (8, 16)


def test_of_many_classes_the_first_are_shown():
    images = RNG.integers(0, 255, (120, 8, 8), dtype=np.uint8)
    classes = [f"class {number}" for number in range(120)]
    (axes,) = draw_contact_sheet(images, np.arange(120), classes).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == classes[:50]
    assert axes.get_title() == "The first 10 images of the first 50 of 120 classes"
