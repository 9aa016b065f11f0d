"""One picture file as an array: whatever it holds, in the size and colours that are asked for."""

from __future__ import annotations

import warnings
from typing import IO

import numpy as np
from PIL import Image, ImageOps

from dlvc.data.dataset import Images
from dvcview.errors import UserError, first_line

FORMATS = ("PNG", "JPEG")
LARGEST = 50_000_000  # pixels; a small file can claim to be a picture that fills the memory


def read_picture(file: IO[bytes], name: str, shape: tuple[int, ...]) -> Images:
    """Decode, turn upright as EXIF says, bring to gray or RGB, and resize if need be.

    A picture of other proportions is squeezed. What is transparent shows white, as on paper. Of
    an animation, or of several pictures in one file, the first is taken.

    Args:
        file: a PNG or JPEG file, open for reading.
        name: what an error calls it.
        shape: (H, W) for gray, (H, W, 3) for RGB.

    Returns:
        uint8, of that shape.

    Raises:
        UserError: not a whole PNG or JPEG picture, or one of more than 50 million pixels.
    """
    mode, size = ("L" if len(shape) == 2 else "RGB"), (shape[1], shape[0])
    try:
        with warnings.catch_warnings():
            # Pillow warns of a large picture, or of odd EXIF data: we judge the first ourselves,
            # and a picture with the second is still a picture.
            warnings.simplefilter("ignore")
            picture: Image.Image = Image.open(file, formats=FORMATS)
            pixels = picture.width * picture.height
            if pixels > LARGEST:
                raise UserError(f"{name}: {pixels} pixels, allowed are {LARGEST}; make it smaller")
            ImageOps.exif_transpose(picture, in_place=True)
            picture = _convert(picture, mode)
            if picture.size != size:
                picture = picture.resize(size, Image.Resampling.BILINEAR)  # antialiased
    except UserError:
        raise
    except Exception as error:  # a broken file can make a decoder raise almost anything
        problem = first_line(error)
        raise UserError(
            f"{name}: not a readable PNG or JPEG picture ({problem}); replace or remove it"
        ) from None
    return np.asarray(picture)


def _convert(picture: Image.Image, mode: str) -> Image.Image:
    """To 8 bits a channel, gray ("L") or "RGB", transparency laid on white."""
    if picture.mode.startswith("I"):  # 16 bits; convert() alone would cut off above 255
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture if picture.mode == mode else picture.convert(mode)
