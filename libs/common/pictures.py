"""Pictures that people send: decoded, and drawn anew. What is kept has no place where it was taken, no camera, nothing behind it.

Pillow comes with the services that take pictures (their groups in pyproject.toml), not with every image.
"""

from typing import BinaryIO

from PIL import Image, ImageOps, UnidentifiedImageError


class TooManyPixels(Exception):
    """The picture says that it has more than are taken. A small file may unpack to gigabytes: this one was not unpacked."""


class Broken(Exception):
    """It cannot be decoded as what it should be."""


def drawn_anew(stream: BinaryIO, format_: str, most_pixels: int) -> Image.Image:
    """The pixels alone, upright, RGB or (where it has a see-through part) RGBA, of a picture of Pillow's `format_`.

    Raises TooManyPixels, Broken.
    """
    try:
        with Image.open(stream, formats=[format_]) as picture:
            if picture.width * picture.height > most_pixels:
                raise TooManyPixels
            upright = ImageOps.exif_transpose(picture)
            mode = "RGBA" if "A" in upright.getbands() else "RGB"
            bare = Image.new(mode, upright.size)
            bare.paste(upright.convert(mode))
            return bare
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Broken from error
