from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlvc.data import picture
from dlvc.data.picture import read_picture
from dlvc.errors import UserError

GRAY, RGB = (28, 28), (32, 32, 3)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> BytesIO:
    file = BytesIO()
    image.save(file, kind, **options)
    return BytesIO(file.getvalue())


def random_pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("shape", [GRAY, RGB])
def test_a_png_of_the_right_size_is_taken_as_it_is(shape: tuple[int, ...]) -> None:
    pixels = random_pixels(*shape)
    image = read_picture(encoded(Image.fromarray(pixels)), "x.png", shape)
    np.testing.assert_array_equal(image, pixels)
    assert image.dtype == np.uint8


def test_gray_becomes_rgb_and_rgb_becomes_gray() -> None:
    gray = random_pixels(32, 32)
    image = read_picture(encoded(Image.fromarray(gray)), "x.png", RGB)
    np.testing.assert_array_equal(image, np.stack([gray] * 3, axis=2))

    red = encoded(Image.new("RGB", (28, 28), (255, 0, 0)))
    # ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B
    np.testing.assert_array_equal(read_picture(red, "x.png", GRAY), np.full(GRAY, 76))


@pytest.mark.parametrize("size", [(64, 64), (100, 40), (7, 9)])
def test_another_size_is_resized(size: tuple[int, int]) -> None:
    left = Image.new("L", size, 200)
    left.paste(100, (0, 0, size[0] // 2, size[1]))
    image = read_picture(encoded(left), "x.png", GRAY)
    assert image.shape == GRAY
    assert np.all(image[:, :8] == 100)
    assert np.all(image[:, -8:] == 200)


def test_a_fine_pattern_is_averaged_not_sampled() -> None:
    board = 255 * (np.indices((280, 280)).sum(0) % 2).astype(np.uint8)
    image = read_picture(encoded(Image.fromarray(board)), "x.png", GRAY)
    assert np.abs(image.astype(int) - 127).max() < 10


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_shows_white(mode: str) -> None:
    drawing = Image.new("RGBA", (32, 32), (0, 0, 0, 0))  # black, if the alpha channel is dropped
    drawing.paste((0, 0, 255, 255) if mode != "LA" else (50, 50, 50, 255), (0, 0, 32, 16))
    if mode == "P":
        file = encoded(drawing.quantize(4))
        assert "transparency" in Image.open(file).info
    else:
        file = encoded(drawing.convert(mode))
    image = read_picture(file, "x.png", RGB)
    assert np.all(image[16:] == 255)
    assert np.all(image[:16] == ((0, 0, 255) if mode != "LA" else 50))


def test_sixteen_bits_become_eight() -> None:
    deep = np.full((28, 28), 0x8040, np.uint16)
    image = read_picture(encoded(Image.fromarray(deep)), "x.png", GRAY)
    np.testing.assert_array_equal(image, np.full(GRAY, 0x80))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_turned_photograph_is_set_upright(kind: str) -> None:
    stored = np.zeros((32, 64, 3), np.uint8)
    stored[:, :32] = 255  # white on the left; turned by 90° clockwise it is at the top
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: turn by 90° clockwise to see it upright
    file = encoded(Image.fromarray(stored), kind, exif=exif)
    image = read_picture(file, "x", RGB)
    assert image[:14].min() > 240
    assert image[-14:].max() < 15


def test_cmyk_and_odd_exif_are_no_obstacle() -> None:
    cmyk = encoded(Image.new("CMYK", (32, 32), (0, 0, 0, 0)), "JPEG")
    assert read_picture(cmyk, "x.jpg", RGB).min() > 250
    odd = encoded(
        Image.new("RGB", (32, 32), "white"), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\0"
    )
    assert read_picture(odd, "x.jpg", RGB).min() > 250


def broken() -> dict[str, bytes]:
    png = encoded(Image.fromarray(random_pixels(64, 64, 3))).getvalue()
    jpeg = encoded(Image.fromarray(random_pixels(64, 64, 3)), "JPEG").getvalue()
    middle = len(png) // 2
    return {
        "empty": b"",
        "text": b"<html>404 Not Found</html>",
        "half a PNG": png[:middle],
        "half a JPEG": jpeg[: len(jpeg) // 2],
        "only a PNG's beginning": png[:20],
        "damaged PNG": png[:middle] + bytes(100) + png[middle + 100 :],
        "a GIF": encoded(Image.new("L", (32, 32)), "GIF").getvalue(),
    }


@pytest.mark.parametrize("content", broken().values(), ids=broken().keys())
def test_a_broken_picture_is_named(content: bytes) -> None:
    with pytest.raises(UserError, match=r"cats/tom\.png: not a readable") as caught:
        read_picture(BytesIO(content), "cats/tom.png", RGB)
    assert "\n" not in str(caught.value)


def test_a_decompression_bomb_is_refused_before_it_unfolds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bomb.png"
    Image.new("1", (7100, 7100)).save(file)  # 50.4 million pixels in a few kB

    def unfold(*_: object) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr(Image.Image, "convert", unfold)
    with file.open("rb") as stream, pytest.raises(UserError, match=r"bomb\.png: 50410000 pix"):
        read_picture(stream, str(file), GRAY)
    monkeypatch.undo()
    monkeypatch.setattr(picture, "LARGEST", 100)  # Pillow has a limit of its own, far above
    with pytest.raises(UserError, match="x: 784 pixels, allowed are 100"):
        read_picture(encoded(Image.new("L", (28, 28))), "x", GRAY)
