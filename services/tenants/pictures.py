"""Pictures that a municipality sends for its pages: decoded and written anew, so that only pixels are kept."""

import io
from typing import BinaryIO

from libs.common import files, pictures
from libs.common.errors import Invalid, say
from libs.common.files import kinds

MAX_BYTES = 2_000_000
MAX_PIXELS = 20_000_000
"""A picture of more is refused before it is unpacked: a small file may unpack to gigabytes."""
LARGEST = (640, 240)
"""Pixels a kept logo has at most; it is shown at half of that, sharp on a dense screen."""
_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG"}


def logo(stream: BinaryIO) -> BinaryIO:
    """The PNG to keep. Raises Invalid with the sentence for the person, on the field `logo`."""
    content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _told(say("画像が大きすぎます。%(most)sMBまでの画像を選んでください。", most=MAX_BYTES // 1_000_000))
    kind = _FORMATS.get(files.media_type_of(content[: kinds.HEAD]))
    if kind is None:
        raise _told(say("この種類のファイルは受け取れません。PNGかJPEGの画像を選んでください。"))
    try:
        bare = pictures.drawn_anew(io.BytesIO(content), kind, MAX_PIXELS).convert("RGBA")
    except pictures.TooManyPixels as error:
        raise _told(say("画像の縦横が大きすぎます。小さくしてから選んでください。")) from error
    except pictures.Broken as error:
        raise _told(say("画像を開けませんでした。別のファイルを選んでください。")) from error
    bare.thumbnail(LARGEST)
    out = io.BytesIO()
    bare.save(out, "PNG", optimize=True)
    out.seek(0)
    return out


def _told(sentence: str) -> Invalid:
    return Invalid(sentence, code="bad-picture", fields={"logo": sentence})
