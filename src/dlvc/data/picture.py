"""Read a picture file as an array of a given size, in gray or RGB."""

from __future__ import annotations

import warnings
from typing import IO

import numpy as np
from PIL import Image, ImageOps

from dlvc.arrays.dataset import Images
from dvcview.errors import UserError, first_line

FORMATS = ("PNG", "JPEG")
LARGEST = 50_000_000  # pixels; a small file can announce a picture that would fill the memory


def read_picture(file: IO[bytes], name: str, shape: tuple[int, ...]) -> Images:
    """Decode a picture, apply its EXIF orientation, and convert it to the given shape.

    A picture of other proportions is stretched to fit. Transparent parts become white. If the file
    holds an animation or several pictures, the first is read.

    Args:
        file: a PNG or JPEG file, open for reading.
        name: the name of the picture in error messages.
        shape: (H, W) for gray, (H, W, 3) for RGB.

    Returns:
        uint8, of that shape.

    Raises:
        UserError: the file is not a complete PNG or JPEG picture, or the picture has more than
            50 million pixels.
    """
    mode, size = ("L" if len(shape) == 2 else "RGB"), (shape[1], shape[0])
    try:
        with warnings.catch_warnings():
            # Pillow warns about large pictures and invalid EXIF data. The size is checked below,
            # and a picture with invalid EXIF data is accepted.
            warnings.simplefilter("ignore")
            picture: Image.Image = Image.open(file, formats=FORMATS)
            pixels = picture.width * picture.height
            if pixels > LARGEST:
                raise UserError(
                    f"{name}: the picture has {pixels} pixels, the limit is {LARGEST}; "
                    "make it smaller"
                )
            ImageOps.exif_transpose(picture, in_place=True)
            picture = _convert(picture, mode)
            if picture.size != size:
                picture = picture.resize(size, Image.Resampling.BILINEAR)  # antialiased
    except UserError:
        raise
    except Exception as error:  # a damaged file can make a decoder raise almost any exception
        problem = first_line(error)
        raise UserError(
            f"{name}: not a readable PNG or JPEG picture ({problem}); replace or remove it"
        ) from None
    return np.asarray(picture)


def _convert(picture: Image.Image, mode: str) -> Image.Image:
    """Convert to 8 bits per channel, gray ("L") or "RGB", on a white background."""
    if picture.mode.startswith("I"):  # 16 bits; convert() alone would clip at 255
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture if picture.mode == mode else picture.convert(mode)
