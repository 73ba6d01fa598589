"""Uploads: what is taken, and what is made of it before it is kept.

The type is told from the content. Photographs are decoded and written anew: no position, no serial number of a
camera, nothing hidden
behind the picture. A PDF is kept as it is, unless it would run something or is another file, too, and only ever handed out as a download.
"""

import io
import re
import unicodedata
from typing import BinaryIO

import pillow_heif

from libs.common import files, pictures
from libs.common.errors import Invalid, TooLarge, say
from libs.common.files import kinds
from services.eapply.domain import mynumber
from services.eapply.forms import pdfs
from services.eapply.forms.definition import FormField
from services.eapply.forms.text import cleaned

pillow_heif.register_heif_opener()

MEDIA_TYPES = {"pdf": "application/pdf", "jpeg": "image/jpeg", "png": "image/png", "heic": "image/heic"}
FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/heic": "HEIF"}
ENDINGS = {"application/pdf": ".pdf", "image/jpeg": ".jpg", "image/png": ".png"}
MAX_PIXELS = 60_000_000
"""A picture of more is refused before it is unpacked (a small file may unpack to gigabytes)."""
NAME_LENGTH = 80


def accepted(field: FormField) -> set[str]:
    """Media types the field takes."""
    return {MEDIA_TYPES[each] for each in field.accept}


def prepared(field: FormField, stream: BinaryIO, size: int) -> BinaryIO:
    """What is to be kept of an upload of `size` bytes. Raises Invalid or TooLarge with the sentence for the person."""
    if size > field.max_bytes:
        most = field.max_bytes // (1024 * 1024)
        raise TooLarge(
            say("ファイルが大きすぎます。1つ%(most)sMBまでのファイルを選んでください。", most=most),
            code="file-too-large",
        )
    head = stream.read(kinds.HEAD)
    stream.seek(0)
    media_type = files.media_type_of(head)
    if media_type not in accepted(field):
        names = "・".join(each.upper() for each in field.accept)
        raise Invalid(
            say("この種類のファイルは受け取れません。%(names)sのファイルを選んでください。", names=names),
            code="wrong-file-type",
        )
    return _inert(stream) if media_type == "application/pdf" else _drawn_anew(stream, FORMATS[media_type])


def _inert(stream: BinaryIO) -> BinaryIO:
    """A PDF that only shows pages. Mending it would break the signature that it may carry, so it is refused."""
    content = stream.read()
    stream.seek(0)
    if pdfs.is_another_file_too(content):
        raise Invalid(
            say(
                "このPDFには、PDFではないファイルがつながっているため、受け取れません。PDFを開き、「印刷」から「PDFに保存」したファイルか、紙や画面の写真を選んでください。"
            ),
            code="more-than-a-pdf",
        )
    if pdfs.acts(content):
        raise Invalid(
            say(
                "このPDFには、開くと動くプログラムが入っているため、受け取れません。PDFを開き、「印刷」から「PDFに保存」したファイルか、紙や画面の写真を選んでください。"
            ),
            code="active-pdf",
        )
    return stream


def _drawn_anew(stream: BinaryIO, format_: str) -> BinaryIO:
    try:
        bare = pictures.drawn_anew(stream, format_, MAX_PIXELS)
    except pictures.TooManyPixels as error:
        raise TooLarge(
            say("写真が大きすぎます。少し小さくして、もう一度選んでください。"), code="too-many-pixels"
        ) from error
    except pictures.Broken as error:
        raise Invalid(
            say("写真を開けませんでした。撮り直すか、別のファイルを選んでください。"), code="broken-picture"
        ) from error
    out = io.BytesIO()
    if format_ == "PNG":
        bare.save(out, "PNG")
    else:
        bare.convert("RGB").save(out, "JPEG", quality=90, optimize=True)
    out.seek(0)
    return out


def display_name(typed: str | None, media_type: str) -> str:
    """What the file is called on pages: the last part of the person's name for it, with the ending of its real type.

    It never becomes part of a path. Raises Invalid when it holds a 個人番号.
    """
    last = re.split(r"[/\\]", cleaned(typed or ""))[-1]
    mynumber.refuse_in(last)
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", last)
    stem = "".join(c for c in stem if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co"} and c not in '<>:"|?*')
    return (stem.strip(". ")[:NAME_LENGTH] or "file") + ENDINGS.get(media_type, "")
