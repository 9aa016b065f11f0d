import resource
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlvc.data import picture
from dlvc.data.picture import read_picture
from dvcview.errors import UserError

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


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> BytesIO:
    """A PNG, chunk by chunk: Pillow writes neither 16-bit colours nor a picture without pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return BytesIO(b"\x89PNG\r\n\x1a\n" + chunks)


@pytest.mark.parametrize("alpha", [False, True])
def test_sixteen_bits_a_colour_become_eight(alpha: bool) -> None:
    pixel = struct.pack(">HHH", 0x1080, 0x20FF, 0xFF00) + (b"\xff\xff" if alpha else b"")
    rows = 32 * (b"\0" + 32 * pixel)
    image = read_picture(png(32, 32, 16, 6 if alpha else 2, rows), "x.png", RGB)
    assert np.all(image == (0x10, 0x20, 0xFF))


@pytest.mark.parametrize("size", [(0, 32), (32, 0), (0, 0), (2**31, 1), (2**31, 2**31)])
def test_a_picture_of_no_or_impossible_size_is_refused(size: tuple[int, int]) -> None:
    width, height = size
    with pytest.raises(UserError, match=r"x\.png: "):
        read_picture(png(width, height, 8, 0, b"\0"), "x.png", RGB)
    jpeg = bytearray(encoded(Image.new("L", (32, 32)), "JPEG").getvalue())
    header = jpeg.index(b"\xff\xc0") + 5
    struct.pack_into(">HH", jpeg, header, height & 0xFFFF, width & 0xFFFF)
    with pytest.raises(UserError, match=r"x\.jpg: "):
        read_picture(BytesIO(jpeg), "x.jpg", RGB)


def test_a_picture_that_claims_to_be_larger_than_it_is_does_not_fill_the_memory() -> None:
    """49 million pixels are allowed, and take 4 bytes each; almost none of them is there."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match=r"x\.png: not a readable"):
        read_picture(png(7000, 7000, 8, 2, b"\0" * 100), "x.png", RGB)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # kB


@pytest.mark.parametrize("size", [(20_000, 20), (20, 20_000)])
def test_a_very_wide_or_high_picture_is_squeezed(size: tuple[int, int]) -> None:
    wide = Image.new("L", size, 200)
    wide.paste(100, (0, 0, min(size[0], 10_000), min(size[1], 10_000)))  # one half
    for kind in ("PNG", "JPEG"):
        image = read_picture(encoded(wide, kind), "x", GRAY).astype(int)
        assert abs(image[0, 0] - 100) <= 2
        assert abs(image[-1, -1] - 200) <= 2


@pytest.mark.parametrize("kind", ["PNG", "MPO"])
def test_of_an_animation_the_first_picture_is_taken(kind: str) -> None:
    first, *others = (Image.new("RGB", (32, 32), colour) for colour in ("red", "lime", "blue"))
    file = encoded(first, kind, save_all=True, append_images=others)
    with Image.open(file) as animated:
        assert animated.n_frames == 3  # an MPO is a JPEG with more pictures behind it
    file.seek(0)
    image = read_picture(file, "x", RGB)
    assert np.all(np.abs(image.astype(int) - (255, 0, 0)) < 3)


# Where the stored picture's upper left corner is seen, and whether its rows are seen as columns.
ORIENTATIONS = {
    1: ("top left", False), 2: ("top right", False), 3: ("bottom right", False),
    4: ("bottom left", False), 5: ("top left", True), 6: ("top right", True),
    7: ("bottom right", True), 8: ("bottom left", True),
}  # fmt: skip


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_orientation_of_exif_is_undone(orientation: int) -> None:
    stored = np.zeros((32, 32), np.uint8)
    stored[:8, :16] = 255  # a bar along the first row, from the upper left corner
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = read_picture(encoded(Image.fromarray(stored), exif=exif), "x.png", (32, 32))
    corner, turned = ORIENTATIONS[orientation]
    bar = np.zeros_like(stored)
    bar[(slice(16), slice(8)) if turned else (slice(8), slice(16))] = 255
    bar = bar if "top" in corner else bar[::-1]
    np.testing.assert_array_equal(image, bar if "left" in corner else bar[:, ::-1])


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


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_flipped_bit_gives_a_picture_or_one_clear_line(kind: str) -> None:
    whole = encoded(Image.fromarray(random_pixels(16, 16, 3)), kind).getvalue()
    messages = []
    for bit in range(8 * len(whole)):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        try:
            image = read_picture(BytesIO(content), "cats/tom.png", RGB)
        except UserError as error:
            messages.append(str(error))
        else:
            assert image.shape == RGB
            assert image.dtype == np.uint8
    for message in messages:
        assert message.startswith("cats/tom.png: ")
        assert len(message.splitlines()) == 1
    if kind == "PNG":  # a checksum watches over what is in the picture; a JPEG has none
        assert len(messages) > 0.9 * 8 * len(whole)


def test_a_decompression_bomb_is_refused_before_it_unfolds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bomb.png"
    Image.new("1", (7100, 7100)).save(file)  # 50.4 million pixels in a few kB

    def unfold(*_: object) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr(Image.Image, "convert", unfold)
    with (
        file.open("rb") as stream,
        pytest.raises(UserError, match=r"bomb\.png: the picture has 50410000 pix"),
    ):
        read_picture(stream, str(file), GRAY)
    monkeypatch.undo()
    monkeypatch.setattr(picture, "LARGEST", 100)  # Pillow has a limit of its own, far above
    with pytest.raises(UserError, match="x: the picture has 784 pixels, the limit is 100"):
        read_picture(encoded(Image.new("L", (28, 28))), "x", GRAY)
